"""caffe.proto.caffe_pb2: real protobuf classes, beside whatever else there is."""

from __future__ import annotations

import copy
import pickle

import cases
import pytest
from google.protobuf import descriptor_pool, text_format

from netsurgery import _proto
from netsurgery.pycaffe.proto import caffe_pb2

DIGITS = cases.FIXTURES / "digits"


def test_a_caffemodel_is_read_and_written_back_to_the_byte() -> None:
    path = next(DIGITS.glob("*.caffemodel"))
    net = caffe_pb2.NetParameter.FromString(path.read_bytes())
    assert sum(len(b.data) for layer in net.layer for b in layer.blobs) > 1000
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()) == net
    net.layer[-1].name = "renamed"
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()).layer[-1].name == "renamed"


def test_prototxts_are_merged_edited_and_printed() -> None:
    net = text_format.Merge(next(DIGITS.glob("*.prototxt")).read_text(), caffe_pb2.NetParameter())
    layer = net.layer.add(name="act", type="ELU", bottom=["a"], top=["a"])
    layer.elu_param.alpha = 0.25
    text = text_format.MessageToString(net)
    assert 'type: "ELU"' in text and "alpha: 0.25" in text
    assert text_format.Parse(text, caffe_pb2.NetParameter()) == net
    with pytest.raises(text_format.ParseError):
        text_format.Parse("nope: 1", caffe_pb2.NetParameter())


def test_fields_of_forks_are_there_by_name() -> None:
    layer = text_format.Parse('type: "ROIPooling" roi_pooling_param { pooled_h: 7 }', caffe_pb2.LayerParameter())
    assert layer.roi_pooling_param.pooled_h == 7
    assert layer.HasField("roi_pooling_param") and not layer.HasField("pooling_param")


def test_names_are_those_of_generated_modules() -> None:
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST, caffe_pb2.Phase.Name(1)) == (0, 1, "TEST")
    assert caffe_pb2.PoolingParameter.AVE == caffe_pb2.PoolingParameter.PoolMethod.Value("AVE") == 1
    assert caffe_pb2.V1LayerParameter.LayerType.Name(4) == "CONVOLUTION"
    assert caffe_pb2._LAYERPARAMETER is caffe_pb2.LayerParameter.DESCRIPTOR
    assert "MAX" in caffe_pb2._POOLINGPARAMETER_POOLMETHOD.values_by_name
    assert caffe_pb2.NetParameter.DESCRIPTOR.full_name == "caffe.NetParameter"
    assert repr(caffe_pb2.ConvolutionParameter()) == ""
    with pytest.raises(AttributeError, match="no attribute 'NopeParameter'"):
        _ = caffe_pb2.NopeParameter


def test_numbers_and_defaults_are_those_of_the_schema() -> None:
    """Every field of LayerParameter by the number that files have; the schema itself is held elsewhere."""
    for number, field in _proto.fields_by_number("LayerParameter").items():
        assert caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_number[number].name == field.name
    convolution = caffe_pb2.LayerParameter().convolution_param
    assert (convolution.group, convolution.bias_term) == (1, True)
    assert caffe_pb2.LayerParameter().lrn_param.alpha == 1


def test_fields_that_forks_repeat_are_single_as_in_caffe() -> None:
    pooling = caffe_pb2.PoolingParameter(kernel_size=3)
    pooling.stride = pooling.stride + 1
    assert (pooling.kernel_size, pooling.stride, pooling.pad) == (3, 2, 0)
    assert caffe_pb2.PoolingParameter.FromString(pooling.SerializeToString()) == pooling


def test_single_and_repeated_fields_are_those_of_caffe() -> None:
    """What real pycaffe repeats in the messages that scripts edit most."""
    repeated = {
        "NetParameter": "layers input input_dim input_shape layer",
        "LayerParameter": "bottom top loss_weight param blobs propagate_down include exclude",
        "ConvolutionParameter": "pad kernel_size stride dilation",
        "PoolingParameter": "",
        "InnerProductParameter": "",
        "EltwiseParameter": "coeff",
        "TransformationParameter": "mean_value",
        "DummyDataParameter": "data_filler num channels height width shape",
        "NetStateRule": "stage not_stage",
        "SolverParameter": "test_net test_net_param test_state test_iter stepvalue weights plateau_winsize",
    }
    for name, fields in repeated.items():
        descriptor = getattr(caffe_pb2, name).DESCRIPTOR
        message = getattr(caffe_pb2, name)()
        found = [f.name for f in descriptor.fields if f.number < 20000 and hasattr(getattr(message, f.name), "append")]
        assert sorted(found) == sorted(fields.split()), name


def test_messages_are_copied_and_pickled() -> None:
    net = caffe_pb2.NetParameter(name="x", layer=[caffe_pb2.LayerParameter(name="a")])
    assert copy.deepcopy(net) == pickle.loads(pickle.dumps(net)) == net


def test_a_real_caffe_may_be_imported_in_the_same_process() -> None:
    """Its messages have the same names, in protobuf's own pool: nothing of ours is in that."""
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
    twin = descriptor_pool.DescriptorPool()
    twin.AddSerializedFile(_proto.pool("caffe", "caffe.proto").FindFileByName("caffe.proto").serialized_pb)
    assert twin.FindMessageTypeByName("caffe.NetParameter") is not caffe_pb2.NetParameter.DESCRIPTOR
