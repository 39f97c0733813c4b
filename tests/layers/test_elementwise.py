"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/elementwise.py."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import pytest
from folding import LINEAR, behind
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import RewriteError

ANY_RANK = [
    *[
        "AbsVal",
        "BNLL",
        "Sigmoid",
        "TanH",
        "Swish",
        "Threshold",
        "ELU",
        "Exp",
        "Mish",
        "SeLU",
        "SeLu",
        "ReLU6",
        "CReLU",
    ],
    *["ReLU", "Power", "Softmax", "SeLuDropout", "SpatialDropout"],
]


@pytest.mark.parametrize("type", ANY_RANK)
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 4, 5)])
def test_layers_take_blobs_of_any_rank(type: str, shape: tuple[int, ...]) -> None:
    net = make(one(type), x=shape)
    larger = tuple(n + 2 for n in shape)
    top, _ = agree(net, {"x": numbers(*shape)}, {"x": numbers(*larger)})
    assert top["y"].shape == (shape if type != "CReLU" else (shape[0], 2 * shape[1], *shape[2:]))


@pytest.mark.parametrize(
    ("layer", "x", "y"),
    [
        (one("Power", "power_param { power: 2 scale: 0 shift: 3 }"), [1, np.nan], [9, 9]),
        (one("Power", "power_param { power: 0 scale: 5 }"), [0, np.inf], [1, 1]),
        (one("Power", "power_param { power: -1 scale: 0 }"), [1, 2], [np.inf, np.inf]),
        (one("Power", "power_param { power: 0.5 shift: 1 }"), [3, -2], [2, np.nan]),
        (one("Exp", "exp_param { base: 2 scale: 3 shift: -1 }"), [1, 0], [4, 0.5]),
        (one("Exp", "exp_param { base: 1 shift: 4 }"), [1, 7], [1, 1]),
        (one("Log", "log_param { base: 2 scale: 4 shift: 4 }"), [1, -1], [3, -np.inf]),
        (one("Clip", "clip_param { min: 2 max: 1 }"), [0, 3], [2, 2]),
        (one("Threshold", "threshold_param { threshold: 0.5 }"), [0.5, np.nan], [0, 0]),
        (one("BNLL"), [100, -100], [100, 0]),
        (one("ELU", "elu_param { alpha: 2 }"), [1, -np.inf], [1, -2]),
        (one("ReLU6", "relu6_param { negative_slope: 0.5 }"), [7, -4], [6, -2]),
        (one("SeLU", "selu_param { lambda: 2 alpha: 3 }"), [1, -np.inf], [2, -6]),
        (one("Mish"), [0, 30], [0, 30]),
        (one("CReLU", "crelu_param { negative_slope: 0.5 concat_axis: -1 }"), [4, -2], [4, -1, -2, 2]),
        (one("Dropout", "dropout_param { dropout_ratio: 0.25 scale_train: false }"), [4, -8], [3, -6]),
        (one("Swish", "swish_param { beta: 0 }"), [4, -8], [2, -4]),
    ],
)
def test_edge_cases_are_caffes(layer: str, x: list[float], y: list[float]) -> None:
    net = make(layer, x=(1, len(x)))
    (tops,) = agree(net, {"x": np.array([x], np.float32)})
    np.testing.assert_allclose(tops["y"], [y], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize(
    ("params", "x", "blob", "lift"),
    [
        ("axis: -1", (2, 3, 4), (4,), (1, 1, 4)),
        ("axis: -3", (2, 3, 4, 5), (3,), (1, 3, 1, 1)),
        ("axis: 0", (2, 3), (2,), (2, 1)),
        ("num_axes: 2", (2, 3, 4, 5), (3, 4), (1, 3, 4, 1)),
        ("num_axes: -1", (2, 3, 4, 5, 6), (3, 4, 5, 6), (1, 3, 4, 5, 6)),
        ("axis: -2 num_axes: -1", (2, 3, 4), (3, 4), (1, 3, 4)),
        ("axis: -1 num_axes: 0", (2, 3, 4), (), ()),
    ],
)
def test_scale_and_bias_lie_along_any_axes(params: str, x: Any, blob: Any, lift: Any) -> None:
    feed = {"x": numbers(*x)}
    s, b = np.asarray(numbers(*blob)), np.asarray(numbers(*blob))
    (tops,) = agree(make(one("Bias", f"bias_param {{ {params} }}"), [b], x=x), feed)
    np.testing.assert_allclose(tops["y"], feed["x"] + b.reshape(lift), rtol=1e-6)
    (tops,) = agree(make(one("Scale", f"scale_param {{ {params} bias_term: true }}"), [s, b], x=x), feed)
    np.testing.assert_allclose(tops["y"], feed["x"] * s.reshape(lift) + b.reshape(lift), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (one("Flip", "flip_param { flip_height: true }"), (1, 2, 3), lambda x: x[:, :, ::-1]),
        (one("Flip"), (2, 3), lambda x: x),
        (one("Reverse"), (4, 2), lambda x: x[::-1]),
        (one("Reverse", "reverse_param { axis: -1 axis: 1 }"), (2, 3, 4), lambda x: x[:, ::-1, ::-1]),
        (
            one("Transpose", "transpose_param { dim: 4 dim: 0 dim: 2 dim: 1 dim: 3 }"),
            (2, 3, 4, 5, 6),
            lambda x: x.transpose(4, 0, 2, 1, 3),
        ),
        (
            one("ShuffleChannel", "shuffle_channel_param { group: 2 }"),
            (1, 6),
            lambda x: x[:, [0, 3, 1, 4, 2, 5], None, None],
        ),
        (
            one("ShuffleChannel", "shuffle_channel_param { group: 3 }"),
            (1, 6, 4),
            lambda x: x[:, [0, 2, 4, 1, 3, 5], :, None],
        ),
        (one("ShuffleChannel"), (2, 3), lambda x: x[:, :, None, None]),
    ],
)
def test_layers_that_move_numbers(layer: str, shape: tuple[int, ...], expected: Any) -> None:
    feeds = [{"x": numbers(*shape)}, {"x": numbers(shape[0] + 1, shape[1], *(n + 3 for n in shape[2:]))}]
    tops = agree(make(layer, x=shape), *feeds)
    np.testing.assert_array_equal(tops[0]["y"], expected(feeds[0]["x"]))


def test_identities_leave_no_node() -> None:
    layers = """
        layer { name: "d" type: "Dropout" bottom: "x" top: "d" dropout_param { dropout_ratio: 0.9 } }
        layer { name: "s" type: "Split" bottom: "d" top: "a" top: "b" }
        layer { name: "y" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }
        layer { name: "sink" type: "Silence" bottom: "x" bottom: "a" }
        layer { name: "file" type: "HDF5Output" bottom: "x" bottom: "b" hdf5_output_param { file_name: "out.h5" } }"""
    net = make(layers, x=(2, 3))
    x = numbers(2, 3)
    (tops,) = agree(net, {"x": x})
    np.testing.assert_array_equal(tops["y"], x + x)
    assert net.outputs == ("y",)
    assert [n.op_type for n in netsurgery.to_onnx(net).graph.node] == ["Add"]


def test_a_coefficient_of_all_bottoms_is_one_product() -> None:
    for coeff, ours, plain in (
        ("coeff: 0.3 coeff: 0.3", ["Add", "Mul"], ["Mul", "Mul", "Add"]),
        ("coeff: -1 coeff: -1", ["Add", "Mul"], ["Mul", "Mul", "Add"]),
        ("coeff: 0.3 coeff: 1", ["Mul", "Add"], ["Mul", "Add"]),
        ("coeff: 1 coeff: 1", ["Add"], ["Add"]),
    ):
        net = make(one("Eltwise", f"eltwise_param {{ {coeff} }}", ("a", "b")), a=(2, 3, 4), b=(2, 3, 4))
        agree(net, {"a": numbers(2, 3, 4), "b": numbers(2, 3, 4)}, {"a": numbers(5, 3, 1), "b": numbers(5, 3, 1)})
        for kinds, is_plain in ((ours, False), (plain, True)):
            assert [n.op_type for n in netsurgery.to_onnx(net, plain=is_plain).graph.node] == kinds


@pytest.mark.parametrize(
    ("layer", "ours", "plain"),
    [
        (one("Power", "power_param { power: 0.5 }"), ["Sqrt"], ["Pow"]),
        (one("Power", "power_param { power: -1 }"), ["Reciprocal"], ["Pow"]),
        (one("Power", "power_param { power: 1.5 }"), ["Pow"], ["Pow"]),
        (one("Mish"), ["Min", "Exp", "Add", "Mul", "Add", "Div", "Mul"], ["Softplus", "Tanh", "Mul"]),
    ],
)
def test_slow_nodes_are_written_as_others(layer: str, ours: list[str], plain: list[str]) -> None:
    net = make(layer, x=(1, 2401))
    x = np.linspace(-40, 80, 2401, dtype=np.float32)[None]
    x = x if "Mish" in layer else np.abs(x) + np.float32(0.1)
    agree(net, {"x": x})
    wide = netsurgery.run(net, {"x": x}, dtype=np.float64)["y"]
    for kinds, is_plain in ((ours, False), (plain, True)):
        model = netsurgery.to_onnx(net, plain=is_plain)
        assert [n.op_type for n in model.graph.node] == kinds
        (y,) = cases.session(model.SerializeToString()).run(None, {"x": x})
        np.testing.assert_allclose(y, wide, rtol=2e-6, atol=1e-15)


@pytest.mark.parametrize(
    "layer",
    [
        "BatchNorm",
        "Scale scale_param { axis: -1 bias_term: true }",
        "Scale scale_param { num_axes: 0 }",
        "Bias bias_param { num_axes: -1 }",
        "PReLU",
        "ELU",
        "Normalize norm_param { channel_shared: false }",
        "Dropout",
        "Power power_param { shift: 1 }",
    ],
)
def test_layers_act_at_each_position_of_a_map(layer: str) -> None:
    net = behind("InnerProduct", layer)
    wide = netsurgery.convolutionalize(net)
    x = numbers(2, 3, 4, 5)
    (tops,) = agree(wide, {"x": x})
    for i, j in np.ndindex(3, 4):
        at = netsurgery.run(net, {"x": x[:, :, i : i + 2, j : j + 2]})["h"]
        np.testing.assert_allclose(tops["h"][:, :, i, j], at, rtol=1e-4, atol=1e-5)


def test_scale_by_another_vector_acts_at_each_position() -> None:
    gate = 'layer { name: "gate" type: "InnerProduct" bottom: "x" top: "g" inner_product_param { num_output: 4 } }'
    mul = 'layer { name: "Scale" type: "Scale" bottom: "h" bottom: "g" top: "y" scale_param { axis: -2 } }'
    params, shape, blobs = LINEAR["InnerProduct"]
    net = make(f'layer {{ name: "linear" type: "InnerProduct" bottom: "x" top: "h" {params} }} {gate} {mul}', x=shape)
    for name in ("linear", "gate"):
        net = net.with_weights(name, *[numbers(*b) for b in blobs])
    x = numbers(2, 3, 3, 4)
    (tops,) = agree(netsurgery.convolutionalize(net), {"x": x})
    for i, j in np.ndindex(2, 3):
        at = netsurgery.run(net, {"x": x[:, :, i : i + 2, j : j + 2]})["y"]
        np.testing.assert_allclose(tops["y"][:, :, i, j], at, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (
            "BatchNorm batch_norm_param { use_global_stats: false }",
            "takes its statistics from the batch and all positions together",
        ),
        ("Scale scale_param { axis: 0 }", "works along axis 0 and those behind it, not over the channels"),
        ("MVN", "takes its mean over all positions of the map"),
    ],
)
def test_layers_that_mix_positions_refuse_to_become_maps(layer: str, problem: str) -> None:
    net = behind("InnerProduct", layer)
    assert problem in refusal(lambda: netsurgery.convolutionalize(net), RewriteError)
