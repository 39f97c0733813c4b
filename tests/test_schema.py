"""The schema: Caffe's numbers and defaults, forks by name only, and the committed descriptors."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import message_factory, text_format

from netsurgery import _proto

ROOT = Path(__file__).resolve().parents[1]


def new(name: str) -> Any:
    """An empty protobuf message of the schema."""
    return message_factory.GetMessageClass(_proto.pool().FindMessageTypeByName(f"netsurgery.caffe.{name}"))()


def reachable(start: str, *, forks: bool) -> set[str]:
    """The messages that fields lead to from a message; without fork fields when told so."""
    found: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            fields = _proto.message(name).values() if forks else _proto.fields_by_number(name).values()
            todo += [f.type for f in fields if f.kind == "message"]
    return found


def test_descriptors_are_current() -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is needed to compile proto/caffe.proto")
    spec = importlib.util.spec_from_file_location("proto_build", ROOT / "proto" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert build.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("message", "field", "number"),
    [
        ("NetParameter", "layer", 100),
        ("NetParameter", "layers", 2),
        ("NetParameter", "input", 3),
        ("NetParameter", "input_dim", 4),
        ("NetParameter", "input_shape", 8),
        ("LayerParameter", "name", 1),
        ("LayerParameter", "type", 2),
        ("LayerParameter", "bottom", 3),
        ("LayerParameter", "top", 4),
        ("LayerParameter", "blobs", 7),
        ("LayerParameter", "convolution_param", 106),
        ("LayerParameter", "recurrent_param", 146),
        ("LayerParameter", "swish_param", 147),
        ("LayerParameter", "clip_param", 148),
        ("LayerParameter", "permute_param", 202),
        ("LayerParameter", "prior_box_param", 203),
        ("LayerParameter", "detection_output_param", 204),
        ("LayerParameter", "norm_param", 206),
        ("BlobProto", "data", 5),
        ("BlobProto", "shape", 7),
        ("BlobProto", "double_data", 8),
        ("BlobProto", "double_diff", 9),
        ("BlobProto", "raw_data_type", 10),
        ("BlobProto", "raw_data", 12),
        ("V1LayerParameter", "layer", 1),
        ("V1LayerParameter", "bottom", 2),
        ("V1LayerParameter", "blobs", 6),
        ("V1LayerParameter", "convolution_param", 10),
        ("V1LayerParameter", "loss_param", 42),
        ("V0LayerParameter", "kernelsize", 8),
        ("V0LayerParameter", "blobs", 50),
        ("TransformationParameter", "resize_param", 8),
    ],
)
def test_number_is_caffes(message: str, field: str, number: int) -> None:
    assert _proto.message(message)[field].number == number
    assert _proto.fields_by_number(message)[number].name == field


@pytest.mark.parametrize(
    ("message", "field", "default"),
    [
        ("LRNParameter", "local_size", 5),
        ("LRNParameter", "alpha", 1.0),
        ("LRNParameter", "beta", 0.75),
        ("LRNParameter", "k", 1.0),
        ("LRNParameter", "norm_region", "ACROSS_CHANNELS"),
        ("PoolingParameter", "pool", "MAX"),
        ("PoolingParameter", "pad_h", 0),
        ("ConvolutionParameter", "bias_term", True),
        ("ConvolutionParameter", "group", 1),
        ("ExpParameter", "base", -1.0),
        ("EltwiseParameter", "operation", "SUM"),
        ("NetState", "phase", "TEST"),
        ("FillerParameter", "type", "constant"),
        ("PriorBoxParameter", "offset", 0.5),
        ("SolverState", "iter_last_event", 0),
    ],
)
def test_declared_default(message: str, field: str, default: object) -> None:
    found = _proto.message(message)[field]
    assert (found.default, found.has_default) == (default, True)


def test_float_default_is_rounded_to_float32() -> None:
    eps = _proto.message("BatchNormParameter")["eps"].default
    assert eps == struct.unpack("<f", struct.pack("<f", 1e-5))[0]
    assert eps != 1e-5


@pytest.mark.parametrize(
    ("message", "field", "default"),
    [
        ("ConvolutionParameter", "num_output", 0),
        ("ClipParameter", "min", 0.0),
        ("LayerParameter", "name", ""),
        ("BlobProto", "raw_data", b""),
        ("LayerParameter", "phase", "TRAIN"),
        ("LossParameter", "normalize", False),
        ("HingeLossParameter", "norm", "L1"),
        ("PoolingParameter", "kernel_size", None),
        ("ConvolutionParameter", "kernel_size", None),
        ("LayerParameter", "pooling_param", None),
    ],
)
def test_implicit_default(message: str, field: str, default: object) -> None:
    found = _proto.message(message)[field]
    assert found.default == default
    assert found.has_default == (field == "norm")


def test_a_default_that_differs_between_forks_is_left_to_the_layer() -> None:
    scale = _proto.message("UpsampleParameter")["scale"]
    assert (scale.kind, scale.has_default) == ("float", False)


def test_field_type() -> None:
    assert _proto.message("PoolingParameter")["pool"] == _proto.FieldType(
        name="pool",
        number=1,
        kind="enum",
        repeated=False,
        packed=False,
        type="PoolingParameter.PoolMethod",
        default="MAX",
        has_default=True,
        fork=False,
    )
    data = _proto.message("BlobProto")["data"]
    assert (data.kind, data.repeated, data.packed, data.type) == ("float", True, True, "")


def test_enums() -> None:
    v1 = _proto.enum("V1LayerParameter.LayerType")
    assert (v1["NONE"], v1["CONVOLUTION"], v1["DECONVOLUTION"]) == (0, 4, 39)
    assert _proto.enum("Phase")["TEST"] == 1
    assert _proto.enum("Type")["FLOAT16"] == 2
    assert v1["ROI_POOLING"] >= _proto.FIRST_FORK_NUMBER


def test_unknown_names_raise_key_error() -> None:
    assert _proto.has_message("LayerParameter")
    assert not _proto.has_message("NoSuchParameter")
    for look_up in (_proto.message, _proto.fields_by_number, _proto.enum):
        with pytest.raises(KeyError):
            look_up("NoSuchParameter")


def test_no_fork_field_is_found_by_number() -> None:
    names = reachable("NetParameter", forks=True) | reachable("SolverParameter", forks=True)
    assert len(names) > 200
    for name in names:
        by_number = _proto.fields_by_number(name)
        assert all(number < _proto.FIRST_FORK_NUMBER for number in by_number)
        assert {f.name for f in by_number.values()} == {f.name for f in _proto.message(name).values() if not f.fork}


def test_messages_of_forks_are_out_of_reach_of_a_binary() -> None:
    binary = reachable("NetParameter", forks=False)
    assert {"PermuteParameter", "PriorBoxParameter", "V0LayerParameter"} <= binary
    assert binary.isdisjoint({"InterpParameter", "BNParameter", "ROIPoolingParameter", "NormalizeLayerParameter"})


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ("BN", "bn_param { slope_filler { value: 1 } eps: 1e-5 frozen: true }"),
        ("BN", "bn_param { scale_filler { value: 1 } bn_mode: INFERENCE }"),
        ("Upsample", "upsample_param { scale: 2 }"),
        ("Upsample", "upsample_param { scale: 2 upsample_h: 9 pad_out_w: true }"),
        ("ReLU6", "relu6_param { negative_slope: 0.1 engine: CAFFE }"),
        ("Pooling", "pooling_param { pool: AVE kernel_size: 3 ceil_mode: false engine: MKLDNN }"),
        ("Convolution", "convolution_param { num_output: 8 kernel_size: 3 dilation_h: 2 dilation_w: 2 }"),
        ("Normalize", 'normalize_param { normalize_type: "L1" }'),
        ("Proposal", "proposal_param { ratio: 0.5 scale: 128 anchor_ratio: 3 }"),
        ("Convolution", 'engine: "MKLDNN" quantization_param { bw_layer_in: 8 }'),
        ("AnnotatedData", "transform_param { resize_param { prob: 0.5 } resize_param { prob: 0.5 } }"),
    ],
)
def test_fork_text_is_known_by_name(layer: str, text: str) -> None:
    net = text_format.Parse(f'layer {{ name: "a" type: "{layer}" {text} }}', new("NetParameter"))
    assert net.layer[0].type == layer


def test_classes_parse_and_serialise() -> None:
    net = new("NetParameter")
    layer = net.layer.add(name="ip", type="InnerProduct", bottom=["x"], top=["y"])
    layer.inner_product_param.num_output = 2
    blob = layer.blobs.add(data=[1.0, 2.0])
    blob.shape.dim.extend([2, 1])
    back = new("NetParameter")
    back.ParseFromString(net.SerializeToString())
    assert back == net
    assert text_format.Parse(text_format.MessageToString(net), new("NetParameter")) == net
