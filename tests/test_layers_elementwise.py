"""Layers that act on each number or channel, and the folding of those that scale: ranks, axes, edge cases and refusals that the cases
of fixtures/ lack."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import pytest
from test_layers_layout import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import NetsurgeryError, RewriteError, ShapeError, UnsupportedError
from netsurgery.layers.core.fillers import draw

Array = np.ndarray[Any, Any]

# ---- what every rank gives alike in both computations ------------------------------------------------------------------------

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


def test_clip_gives_its_lower_bound_for_nan() -> None:
    net = make(one("Clip", "clip_param { min: -1 max: 1 }"), x=(1, 1))
    assert netsurgery.run(net, {"x": np.array([[np.nan]])})["y"] == [[-1]]


# ---- Eltwise -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "nodes", "expected"),
    [
        ("coeff: 1 coeff: -1", ["Sub"], lambda a, b: a - b),
        ("coeff: 0.5 coeff: -2", ["Mul", "Mul", "Add"], lambda a, b: 0.5 * a - 2 * b),
        ("operation: PROD", ["Mul"], lambda a, b: a * b),
        ("operation: MAX coeff: 3 coeff: 4", ["Max"], np.maximum),
    ],
)
def test_eltwise_of_two(params: str, nodes: list[str], expected: Any) -> None:
    net = make(one("Eltwise", f"eltwise_param {{ {params} }}", "ab"), a=(2, 3, 4), b=(2, 3, 4))
    feed = {"a": numbers(2, 3, 4), "b": numbers(2, 3, 4)}
    (tops,) = agree(net, feed)
    np.testing.assert_allclose(tops["y"], expected(feed["a"], feed["b"]), rtol=1e-6)
    assert [n.op_type for n in netsurgery.to_onnx(net).graph.node] == nodes


def test_eltwise_of_four_ties_all_sizes_together() -> None:
    net = make(
        one("Eltwise", "eltwise_param { coeff: 1 coeff: 1 coeff: 2 coeff: 1 }", "abcd"), **dict.fromkeys("abcd", (2, 3))
    )
    feed = {name: numbers(2, 3) for name in "abcd"}
    tops, _ = agree(net, feed, {name: numbers(5, 7) for name in "abcd"})
    np.testing.assert_allclose(tops["y"], sum(feed.values()) + feed["c"], rtol=1e-6)


def test_eltwise_max_lets_the_second_win_over_nan() -> None:
    net = make(one("Eltwise", "eltwise_param { operation: MAX }", "ab"), a=(3,), b=(3,))
    tops = netsurgery.run(net, {"a": np.array([np.nan, 1, 2]), "b": np.array([1, np.nan, 1])})
    np.testing.assert_array_equal(tops["y"], [1, np.nan, 2])


def test_eltwise_in_place_is_a_product_only() -> None:
    in_place = one("Eltwise", "eltwise_param { operation: OP }", ("h", "x"), ("h",))
    layers = 'layer { name: "h" type: "AbsVal" bottom: "x" top: "h" } ' + in_place
    net = make(layers.replace("OP", "PROD"), x=(2, 3))
    x = numbers(2, 3)
    np.testing.assert_array_equal(netsurgery.run(net, {"x": x})["h"], np.abs(x) * x)
    wrong = make(layers.replace("OP", "SUM"), x=(2, 3))
    assert refusal(lambda: netsurgery.run(wrong, {"x": x}), UnsupportedError) == (
        "net.prototxt:2: layer 'y' (Eltwise): top 'h' is also its bottom\n"
        "  expected: another top: Caffe's Eltwise does not work in place"
    )


# ---- Bias, Scale, PReLU ------------------------------------------------------------------------------------------------------


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
    ("axis", "s", "lift"),
    [(0, (2, 3), (2, 3, 1, 1)), (-1, (5,), (5,)), (1, (3, 4), (3, 4, 1)), (9, (), ()), (0, (2, 3, 4, 5), (2, 3, 4, 5))],
)
def test_scale_by_a_second_bottom_with_a_learned_bias(axis: int, s: tuple[int, ...], lift: tuple[int, ...]) -> None:
    bias = np.asarray(numbers(*s))
    params = f"scale_param {{ axis: {axis} bias_term: {'true' if s else 'false'} }}"
    net = make(one("Scale", params, ("x", "s")), [bias] if s else [], x=(2, 3, 4, 5), s=s)
    feed = {"x": numbers(2, 3, 4, 5), "s": np.asarray(numbers(*s))}
    (tops,) = agree(net, feed)
    expected = feed["x"] * feed["s"].reshape(lift) + (bias.reshape(lift) if s else 0)
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 2, 3, 5)])
def test_prelu_of_any_rank(shape: tuple[int, ...]) -> None:
    x, slope = numbers(*shape), numbers(4)
    (tops,) = agree(make(one("PReLU"), [slope], x=shape), {"x": x})
    np.testing.assert_allclose(tops["y"], np.where(x > 0, x, x * slope.reshape(-1, *[1] * (len(shape) - 2))), rtol=1e-6)
    shared = make(one("PReLU", "prelu_param { channel_shared: true }"), [np.float32(0.5).reshape(())], x=shape)
    (tops,) = agree(shared, {"x": x})
    np.testing.assert_allclose(tops["y"], np.where(x > 0, x, x / 2), rtol=1e-6)


# ---- normalization -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 4, 5, 3), (2, 4, 2, 3, 5)])
@pytest.mark.parametrize("stored", [True, False])
def test_batchnorm_of_any_rank(shape: tuple[int, ...], stored: bool) -> None:
    mean, variance, factor = numbers(4), np.abs(numbers(4)) + 1, np.float32([4])
    params = "" if stored else "batch_norm_param { use_global_stats: false eps: 0.25 }"
    net = make(one("BatchNorm", params), [mean, variance, factor], x=shape)
    x, behind = numbers(*shape), (1,) * (len(shape) - 2)
    (tops,) = agree(net, {"x": x})
    if stored:
        expected = (x - mean.reshape(-1, *behind) / 4) / np.sqrt(variance.reshape(-1, *behind) / 4 + 1e-5)
    else:
        axes = (0, *range(2, x.ndim))
        expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 0.25)
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("across", ["true", "false"])
def test_mvn_always_gives_four_axes(shape: tuple[int, ...], across: str) -> None:
    net = make(one("MVN", f"mvn_param {{ across_channels: {across} eps: 0.125 }}"), x=shape)
    x = numbers(*shape)
    (tops,) = agree(net, {"x": x})
    full = x.reshape(*shape, *[1] * (4 - len(shape)))
    axes = (1, 2, 3) if across == "true" else (2, 3)
    expected = (full - full.mean(axes, keepdims=True)) / (full.std(axes, keepdims=True) + 0.125)
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        "local_size: 1 alpha: 0.5",
        "local_size: 3 alpha: -0.01 k: 2",
        "local_size: 5 alpha: 0.5 beta: 0 k: 2",
        "local_size: 5 alpha: 0.5 beta: -1",
        "local_size: 9 alpha: 2 k: 0.5",
        "local_size: 9 alpha: 2 k: 3 norm_region: WITHIN_CHANNEL",
        "local_size: 1 alpha: 2 beta: -2 norm_region: WITHIN_CHANNEL",
    ],
)
def test_lrn_by_its_formula(params: str) -> None:
    net = make(one("LRN", f"lrn_param {{ {params} }}"), x=(2, 4, 3, 5))
    x = numbers(2, 4, 3, 5)
    tops, _ = agree(net, {"x": x}, {"x": numbers(1, 6, 7, 4)})
    value = {name.strip(":"): v for name, v in zip(params.split()[::2], params.split()[1::2], strict=True)}
    size, alpha, beta = int(value["local_size"]), float(value["alpha"]), float(value.get("beta", 0.75))
    half, within = size // 2, "norm_region" in value
    expected = np.empty(x.shape)
    for n, c, h, w in np.ndindex(*x.shape):
        near = (
            x[n, c, max(0, h - half) : h + half + 1, max(0, w - half) : w + half + 1]
            if within
            else x[n, max(0, c - half) : c + half + 1, h, w]
        )
        k = 1 if within else float(value.get("k", 1))
        share = alpha / (size * size if within else size)
        expected[n, c, h, w] = x[n, c, h, w] * (k + share * (near.astype("f8") ** 2).sum()) ** -beta
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-5)


def test_lrn_works_in_place_within_channels_only() -> None:
    layers = 'layer { name: "h" type: "AbsVal" bottom: "x" top: "h" } ' + one(
        "LRN", "lrn_param { norm_region: R }", "h", "h"
    )
    netsurgery.run(make(layers.replace("R }", "WITHIN_CHANNEL }"), x=(1, 2, 3, 3)), {"x": numbers(1, 2, 3, 3)})
    across = make(layers.replace("R }", "ACROSS_CHANNELS }"), x=(1, 2, 3, 3))
    refusal(lambda: netsurgery.run(across, {"x": numbers(1, 2, 3, 3)}), UnsupportedError)


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 5, 3)])
def test_normalize_of_any_rank(shape: tuple[int, ...]) -> None:
    x, scale = numbers(*shape), numbers(4)
    behind = (1,) * (len(shape) - 2)
    net = make(one("Normalize", "norm_param { channel_shared: false eps: 0.5 }"), [scale], x=shape)
    (tops,) = agree(net, {"x": x})
    norm = np.sqrt((x**2).sum(tuple(range(1, x.ndim)), keepdims=True) + 0.5)
    np.testing.assert_allclose(tops["y"], x / norm * scale.reshape(-1, *behind), rtol=1e-5)
    net = make(one("Normalize", 'normalize_param { normalize_type: "L1" }', tops=("y", "norm")), x=shape)
    (tops,) = agree(net, {"x": x})
    norm = (np.abs(x).sum(1, keepdims=True) + 1e-6).reshape(shape[0], 1, *shape[2:], *[1] * (4 - len(shape)))
    np.testing.assert_allclose(tops["norm"], norm, rtol=1e-5)
    np.testing.assert_allclose(tops["y"], x.reshape(*shape, *[1] * (4 - len(shape))) / norm, rtol=1e-5)


# ---- forks -------------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("s", [(2, 1, 4, 5), (2, 4, 5), (2, 20)])
def test_channel_scale_takes_factors_of_any_shape(s: tuple[int, ...]) -> None:
    net = make(one("ChannelScale", bottoms=("x", "s")), x=(2, 3, 4, 5), s=s)
    feed = {"x": numbers(2, 3, 4, 5), "s": numbers(*s)}
    (tops,) = agree(net, feed)
    np.testing.assert_array_equal(tops["y"], feed["x"] * feed["s"].reshape(2, 1, 4, 5))


@pytest.mark.parametrize("a", [(2, 3), (2, 3, 1), (2, 3, 1, 1)])
def test_axpy_takes_factors_of_any_rank(a: tuple[int, ...]) -> None:
    net = make(one("Axpy", bottoms="axb"), a=a, x=(2, 3, 4, 5), b=(2, 3, 4, 5))
    feed = {"a": numbers(*a), "x": numbers(2, 3, 4, 5), "b": numbers(2, 3, 4, 5)}
    (tops,) = agree(net, feed)
    np.testing.assert_allclose(tops["y"], feed["a"].reshape(2, 3, 1, 1) * feed["x"] + feed["b"], rtol=1e-5, atol=1e-6)


# ---- layers without numbers of their own -------------------------------------------------------------------------------------


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


def test_split_gives_all_its_tops() -> None:
    net = make('layer { name: "y" type: "Split" bottom: "x" top: "a" top: "b" }', x=(2, 3))
    x = numbers(2, 3)
    (tops,) = agree(net, {"x": x})
    np.testing.assert_array_equal(tops["a"], x)
    np.testing.assert_array_equal(tops["b"], x)


# ---- folding -----------------------------------------------------------------------------------------------------------------

LINEAR = {
    "Convolution": (
        "convolution_param { num_output: 4 kernel_size: 3 group: 2 bias_term: false }",
        (2, 6, 8, 9),
        [(4, 3, 3, 3)],
    ),
    "Deconvolution": (
        "convolution_param { num_output: 4 kernel_size: 3 stride: 2 group: 2 }",
        (2, 6, 4, 5),
        [(6, 2, 3, 3), (4,)],
    ),
    "InnerProduct": ("inner_product_param { num_output: 4 }", (2, 3, 2, 2), [(4, 12), (4,)]),
}


def behind(linear: str, *layers: str) -> netsurgery.Net:
    """A linear layer, and layers in place behind it: each named by its type."""
    params, shape, blobs = LINEAR[linear]
    text = f'layer {{ name: "linear" type: "{linear}" bottom: "x" top: "h" {params} }}\n'
    for layer in layers:
        type, _, rest = layer.partition(" ")
        text += f'layer {{ name: "{type}" type: "{type}" bottom: "h" top: "h" {rest} }}\n'
    net = make(text, x=shape).with_weights("linear", *[numbers(*b) for b in blobs])
    for layer in net.layers[2:]:
        shapes = [w.shape for w in np_blobs(layer, net)]
        net = net.with_weights(layer.name, *[np.abs(np.asarray(numbers(*s))) + np.float32(0.5) for s in shapes])
    return net


def np_blobs(layer: netsurgery.Layer, net: netsurgery.Net) -> list[Array]:
    shapes = net.shapes()
    return [np.empty([int(n) for n in s]) for s in layer.kind.weight_shapes([shapes[b] for b in layer.bottoms])]


def nodes(net: netsurgery.Net, **options: Any) -> list[str]:
    return [n.op_type for n in netsurgery.to_onnx(net, **options).graph.node]


@pytest.mark.parametrize("linear", LINEAR)
@pytest.mark.parametrize(
    "layers",
    [
        ["BatchNorm", "Scale scale_param { bias_term: true }"],
        ["BatchNorm batch_norm_param { eps: 0.5 }"],
        ["Scale", "Bias"],
        ["Scale scale_param { axis: -1 num_axes: 0 }", "Bias bias_param { num_axes: 0 }"],
    ],
)
def test_what_scales_channels_is_folded(linear: str, layers: list[str]) -> None:
    net = behind(linear, *layers)
    x = {"x": numbers(*LINEAR[linear][1])}
    ours = netsurgery.run(net, x, dtype=np.float64)["h"]
    assert len(nodes(net)) == 1 + (linear == "InnerProduct")  # flattened before
    assert len(nodes(net, fold=False)) > len(nodes(net))
    for fold in (True, False):
        session = cases.session(netsurgery.to_onnx(net, fold=fold).SerializeToString())
        (got,) = session.run(None, x)
        np.testing.assert_allclose(got, ours, rtol=1e-5, atol=1e-5 * np.abs(ours).max())


@pytest.mark.parametrize(
    ("linear", "layer"),
    [
        ("Convolution", "Scale scale_param { axis: 2 }"),
        ("Convolution", "Scale scale_param { axis: 0 }"),
        ("Convolution", "Scale scale_param { num_axes: 2 }"),
        ("Deconvolution", "Bias bias_param { axis: -1 }"),
        ("InnerProduct", "Scale scale_param { axis: 0 num_axes: -1 }"),
        ("InnerProduct", "BatchNorm batch_norm_param { use_global_stats: false }"),
        ("Convolution", "PReLU"),
    ],
)
def test_what_does_not_scale_channels_is_not_folded(linear: str, layer: str) -> None:
    net = behind(linear, layer)
    assert nodes(net) == nodes(net, fold=False)
    agree(net, {"x": numbers(*LINEAR[linear][1])})


def test_a_blob_that_others_read_is_not_folded_away() -> None:
    net = behind("Convolution", "Scale")
    assert nodes(net, outputs=["h@linear", "h"]) == ["Conv", "Mul"]
    assert nodes(net, outputs=["h"]) == ["Conv"]


# ---- read as fully convolutional ---------------------------------------------------------------------------------------------


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


# ---- refusals ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (one("Exp", "exp_param { base: 0 }"), "base is 0\n  expected: a positive number, or -1 for e"),
        (one("Log", "log_param { base: 1 }"), "base is 1\n  expected: a positive number other than 1, or -1 for e"),
        (one("Clip", "clip_param { min: 0 }"), "max is not set\n  expected: both min and max"),
        (
            one("Eltwise", "eltwise_param { operation: SORT }", "xx"),
            "operation is SORT\n  expected: SUM, PROD, MAX, MIN, DIV or SUB",
        ),
        (
            one("Eltwise", "eltwise_param { coeff: 2 }", "xx"),
            "1 coefficients for 2 bottoms\n  expected: one for each bottom",
        ),
        (
            one("Eltwise", "eltwise_param { coeff: 2 coeff: 3 operation: PROD }", "xx"),
            "coefficients with PROD\n  expected: coeff with SUM only",
        ),
        (one("Eltwise", "eltwise_param { operation: DIV }"), "DIV of 1 bottoms\n  expected: 2 bottoms"),
        (
            one("Scale", "scale_param { num_axes: -2 }"),
            "num_axes is -2\n  expected: 0 or more, or -1 for all that follow",
        ),
        (
            one("Scale", "scale_param { max_value: 1 }"),
            "field 'max_value: 1.0' is not used by this layer type"
            "\n  expected: a field that is known and used"
            "\n  fix: remove the field if it changes nothing in the net that was trained",
        ),
        (one("LRN", "lrn_param { local_size: 4 }"), "local_size is 4\n  expected: an odd number"),
        (one("Normalize", 'normalize_param { normalize_type: "L3" }'), "normalize_type is L3\n  expected: L1 or L2"),
        (
            one("Dropout", "dropout_param { sample_weights_test: true }"),
            "sample_weights_test draws at random in the TEST phase too (Bayesian SegNet)"
            "\n  expected: Dropout that passes everything on"
            "\n  fix: remove the field to get the mean of the samples, nearly",
        ),
        (one("Transpose", "transpose_param { dim: 0 dim: 2 }"), "dim is 0, 2\n  expected: each axis once, from 0 on"),
        (one("ShuffleChannel", "shuffle_channel_param { group: 0 }"), "group is 0\n  expected: a positive number"),
        (
            one("ChannelScale", "channel_scale_param { do_forward: false }", "xx", ("y", "z")),
            "do_forward: false with a second top, which Caffe leaves unset\n  expected: one top",
        ),
        (
            one("AbsVal", tops=("x",)),
            "top 'x' is also its bottom\n  expected: another top: Caffe's AbsVal does not work in place",
        ),
    ],
)
def test_parameters_are_refused_by_name(layer: str, text: str) -> None:
    net = make(layer, x=(2, 6))
    assert refusal(net.require_supported, NetsurgeryError) == f"net.prototxt:2: layer {net['y'].title}: {text}"


@pytest.mark.parametrize(
    ("layer", "shapes", "text"),
    [
        (one("PReLU"), [(3,)], "the bottom has 1 axes\n  expected: 2 or more: (N, C, ...)"),
        (one("BatchNorm"), [(3,)], "the bottom has 1 axes\n  expected: 2 or more: (N, C, ...)"),
        (one("MVN"), [(1, 2, 3, 4, 5)], "the bottom has 5 axes\n  expected: at most 4: (N, C, H, W)"),
        (one("LRN"), [(2, 3, 4)], "bottom has 3 axes: (2, 3, 4)\n  expected: 4 axes"),
        (one("Normalize", "norm_param { }"), [(4,)], "the bottom has 1 axes\n  expected: 2 to 4"),
        (one("Scale", "scale_param { axis: 2 }"), [(2, 3)], "axis 2 of a blob with 2 axes\n  expected: -2 to 1"),
        (
            one("Bias", "bias_param { num_axes: 2 }"),
            [(2, 3)],
            "2 axes from axis 1 on, of a bottom with 2\n  expected: at most 1",
        ),
        (one("Scale", bottoms="ab"), [(2, 3), (2,)], "axis 0 of the second bottom: 2\n  expected: 3"),
        (
            one("Eltwise", bottoms="ab"),
            [(2, 3), (3,)],
            "bottom 2 has the shape (3)\n  expected: that of bottom 1: (2, 3)",
        ),
        (one("Eltwise", bottoms="ab"), [(2, 3), (2, 4)], "axis 1 of bottom 2: 4\n  expected: 3"),
        (one("Axpy", bottoms="abc"), [(2, 3, 2), (2, 3, 4), (2, 3, 4)], "axis 2 of the first bottom: 2\n  expected: 1"),
        (
            one("Axpy", bottoms="abc"),
            [(2, 3), (2, 3), (2,)],
            "bottoms of 2, 2 and 1 axes\n  expected: (N, C, 1, 1), (N, C, H, W) and (N, C, H, W)",
        ),
        (one("ChannelScale", bottoms="ab"), [(2, 3, 4, 5), (40,)], "axis 0 of the second bottom: 40\n  expected: 2"),
        (
            one("ShuffleChannel", "shuffle_channel_param { group: 2 }"),
            [(2, 3)],
            "channels modulo group 2: 1\n  expected: 0",
        ),
        (
            one("Transpose", "transpose_param { dim: 1 dim: 0 }"),
            [(2, 3, 4)],
            "bottom has 3 axes: (2, 3, 4)\n  expected: 2 axes",
        ),
        (one("Flip"), [(1, 2, 3, 4, 5)], "the bottom has 5 axes\n  expected: at most 4"),
        (one("Reverse", "reverse_param { axis: 2 }"), [(2, 3)], "axis 2 of a blob with 2 axes\n  expected: -2 to 1"),
    ],
)
def test_shapes_are_refused_by_name(layer: str, shapes: list[tuple[int, ...]], text: str) -> None:
    inputs = dict(zip("xabc"[len(shapes) > 1 :], shapes, strict=False))
    net = make(layer, **inputs)
    assert refusal(net.shapes, ShapeError) == f"net.prototxt:{1 + len(shapes)}: layer {net['y'].title}: {text}"


# ---- made-up weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "filled", "spread"),
    [
        (one("PReLU"), [[0.25] * 3], [0.25]),
        (one("PReLU", "prelu_param { channel_shared: true }"), [0.25], [0.25]),
        (one("Scale", "scale_param { bias_term: true }"), [[1] * 3, [0] * 3], [1, 0]),
        (one("Scale", "scale_param { num_axes: 0 filler { value: 3 } }"), [3], [1]),
        (one("Bias", "bias_param { num_axes: -1 filler { value: 2 } }"), [[[2] * 4] * 3], [0]),
        (one("BatchNorm"), [[0] * 3, [0] * 3, [0]], [0, 1, 1]),
        (one("Normalize", "norm_param { scale_filler { value: 20 } }"), [20], [1]),
        (one("ChannelScale", "channel_scale_param { global_scale: true }", "xx"), [[-1]], [1]),
    ],
)
def test_blobs_without_a_file_are_filled_as_caffe_does(layer: str, filled: list[Any], spread: list[float]) -> None:
    net = make(layer, x=(2, 3, 4))
    kind = net["y"].kind
    shapes = kind.weight_shapes([(2, 3, 4)] * len(net["y"].bottoms))
    for blob, expected in zip(draw(kind, shapes, 0), filled, strict=True):
        np.testing.assert_array_equal(blob, np.float32(expected))
    for blob, centre, shape in zip(draw(kind, shapes, 0, "random"), spread, shapes, strict=True):
        assert blob.shape == shape
        assert np.abs(blob - centre).max() < 0.5
