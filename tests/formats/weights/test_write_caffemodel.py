"""Nets to caffemodels: what is written is what is read, and weights are not copied on the way."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saving import write_caffemodel
from wire_cases import NetParameter, arrays, floats, names, plain, protobuf_layers, same, small_net

from netsurgery.errors import UnsupportedError
from netsurgery.files.copy import copy_array
from netsurgery.files.output import replacing
from netsurgery.formats.weights.caffemodel import read_caffemodel
from netsurgery.message import Field, Message
from netsurgery.net import Layer, Net

params = st.fixed_dictionaries(
    {},
    optional={
        "param": st.builds(lambda x: Message("ParamSpec", (Field("lr_mult", x),)), floats),
        "convolution_param": st.builds(
            lambda k, pad, kind: Message(
                "ConvolutionParameter",
                (
                    Field("num_output", 4),
                    *(Field("kernel_size", n) for n in k),
                    Field("bias_term", pad),
                    Field("weight_filler", Message("FillerParameter", (Field("type", kind), Field("std", 0.5)))),
                ),
            ),
            st.lists(st.integers(0, 2**32 - 1), max_size=3),
            st.booleans(),
            names,
        ),
        "eltwise_param": st.builds(
            lambda op, cs: Message("EltwiseParameter", (Field("operation", op), *(Field("coeff", c) for c in cs))),
            st.sampled_from(["SUM", "PROD", "MAX"]),
            st.lists(floats, max_size=3),
        ),
        "reshape_param": st.builds(
            lambda xs: Message(
                "ReshapeParameter",
                (Field("shape", Message("BlobShape", tuple(Field("dim", x) for x in xs))), Field("axis", -3)),
            ),
            st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
        ),
        "phase": st.sampled_from(["TRAIN", "TEST"]),
        "#149": st.binary(max_size=5),
    },
)
weights = st.lists(st.integers(0, 3), max_size=4).flatmap(
    lambda shape: st.lists(floats, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
        lambda values: np.array(values, np.float32).reshape(shape)
    )
)


@st.composite
def built_nets(draw: st.DrawFn) -> Net:
    layers: list[Layer] = []
    for i, fields in enumerate(draw(st.lists(params, min_size=1, max_size=4))):
        message = Message("LayerParameter", tuple(Field(n, v) for n, v in fields.items()))
        bottoms = tuple(layers[draw(st.integers(0, i - 1))].tops) if i else ()
        blobs_ = tuple(draw(st.lists(weights, max_size=3)))
        layers.append(Layer(draw(names), draw(names), bottoms, (f"t{i}",), message, blobs_))
    return Net(tuple(layers), name=draw(names))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(built_nets())
def test_any_net_survives_the_wire(tmp_path_factory: pytest.TempPathFactory, net: Net) -> None:
    path = tmp_path_factory.mktemp("wire") / "net.caffemodel"
    write_caffemodel(path, net)
    model = read_caffemodel(path)
    assert model.name == net.name
    for layer, stored, message in zip(net.layers, model.layers, model.message().all("layer"), strict=True):
        assert (stored.name, stored.type) == (layer.name, layer.type)
        assert all(same(a, b) for a, b in zip(layer.weights, arrays(stored), strict=True))
        assert (tuple(message.all("bottom")), tuple(message.all("top"))) == (layer.bottoms, layer.tops)
        assert plain(message.without("name", "type", "bottom", "top")) == plain(layer.params)
    parsed = NetParameter.FromString(path.read_bytes())
    assert [x.name for x in parsed.layer] == [x.name for x in net.layers]
    expected = [(x.name, list(x.weights)) for x in net.layers]
    for (_, a), (_, b) in zip(protobuf_layers(path.read_bytes()), expected, strict=True):
        assert all(same(x, y) for x, y in zip(a, b, strict=True))
    # And again, this time from the mapped file.
    again = Net(
        tuple(
            Layer(x.name, x.type, x.bottoms, x.tops, x.params, tuple(arrays(s)))
            for x, s in zip(net.layers, model.layers, strict=True)
        ),
        name=net.name,
    )
    write_caffemodel(path.with_name("again"), again)
    assert path.with_name("again").read_bytes() == path.read_bytes()


def test_fork_parameters_are_left_out_and_blob_names_given_back(tmp_path: Path) -> None:
    bn = Message("BNParameter", (Field("bn_mode", "INFERENCE"),))
    pool = Message("PoolingParameter", (Field("ceil_mode", False), Field("pool", "MAX")))
    net = Net(
        (
            Layer("in", "Input", (), ("x",)),
            Layer("a", "BN", ("x",), ("x@a",), Message("LayerParameter", (Field("bn_param", bn),))),
            Layer("b", "Pooling", ("x@a",), ("y",), Message("LayerParameter", (Field("pooling_param", pool),))),
        )
    )
    write_caffemodel(tmp_path / "m", net, {"x@a": "x"})
    assert plain(read_caffemodel(tmp_path / "m").message()) == (
        "NetParameter { layer=LayerParameter { name='in' type='Input' top='x' } "
        "layer=LayerParameter { name='a' type='BN' bottom='x' top='x' } "
        "layer=LayerParameter { name='b' type='Pooling' bottom='x' top='y' "
        "pooling_param=PoolingParameter { pool='MAX' } } }"
    )


def test_over_two_gigabytes_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    huge = np.broadcast_to(np.float32(0), (2**14, 2**15))
    net = Net((Layer("fc", "InnerProduct", (), ("y",), weights=(huge,)),))
    with pytest.raises(UnsupportedError) as caught:
        write_caffemodel(tmp_path / "m", net)
    assert str(caught.value) == (
        f"{tmp_path / 'm'}: a caffemodel of 2.1 GB\n"
        "  expected: at most 2 GB: protobuf, and so Caffe, cannot read more from one file\n"
        "  fix: convert to ONNX with --weights link or --weights external instead"
    )
    assert not list(tmp_path.iterdir())


def test_writing_needs_no_second_copy_of_the_weights(tmp_path: Path) -> None:
    values = np.arange(2**24, dtype=np.float32).reshape(2**12, 2**12)
    for array in (values, values.T, values[:, ::2], values.astype(np.float64)):
        tracemalloc.start()
        with replacing(tmp_path / "v") as out:
            copy_array(array, out)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (tmp_path / "v").read_bytes() == array.astype("<f4").tobytes()
        assert peak < 40e6, f"{array.nbytes} bytes were written"


def test_values_are_copied_where_the_kernel_will_not(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(small_net())
    # Linux copies into no file that was opened for appending.
    weight = arrays(read_caffemodel(small).layers[0])[0]
    (tmp_path / "v").write_bytes(b"ab")
    with open(tmp_path / "v", "ab") as out:
        out.write(b"c")
        copy_array(weight, out)
        out.write(b"d")
    assert (tmp_path / "v").read_bytes() == b"abc" + weight.tobytes() + b"d"
