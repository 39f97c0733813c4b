"""Layers that move, cut, spread and count numbers: sizes, axes and refusals that the cases of fixtures/ lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError, ParseError, ShapeError, Source, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.layers.core.param_str import ParamStr

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(7)


def make(layers: str, weights: Sequence[Array] = (), layer: str = "y", **shapes: Sequence[int]) -> netsurgery.Net:
    """A net of inputs with these shapes and of `layers`; the layer named y has the weights."""
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
        for name, shape in shapes.items()
    )
    net = from_text(inputs + layers, "net.prototxt")
    return net.with_weights(layer, *weights) if weights else net


def dims(shape: Sequence[int]) -> str:
    return " ".join(f"dim: {n}" for n in shape)


def one(type: str, params: str = "", bottoms: Sequence[str] = ("x",), tops: Sequence[str] = ("y",)) -> str:
    edges = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(f' top: "{t}"' for t in tops)
    return f'layer {{ name: "y" type: "{type}"{edges} {params} }}'


def numbers(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def agree(net: netsurgery.Net, *feeds: dict[str, Array], opsets: Sequence[int] = (17, 21)) -> list[dict[str, Array]]:
    """What `run` gives for each feed, after ONE export per opset has given the same, and one at the sizes of the first feed."""
    computed = [netsurgery.run(net, feed) for feed in feeds]
    for opset in opsets:
        holds(netsurgery.to_onnx(net, opset=opset), feeds, computed)
    fixed = {name: value.shape for name, value in feeds[0].items()}
    holds(netsurgery.to_onnx(net, opset=opsets[-1], input_shapes=fixed), feeds[:1], computed[:1])
    return computed


def holds(model: Any, feeds: Sequence[dict[str, Array]], computed: Sequence[dict[str, Array]]) -> None:
    session = cases.session(model.SerializeToString())
    names = [o.name for o in session.get_outputs()]
    for feed, ours in zip(feeds, computed, strict=True):
        for blob, value in zip(names, session.run(None, feed), strict=True):
            assert value.shape == ours[blob].shape, blob
            np.testing.assert_allclose(value, ours[blob], rtol=1e-5, atol=2e-6, err_msg=blob)


def refusal(call: Callable[[], object], kind: type[NetsurgeryError]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


# ---- layers that only arrange -----------------------------------------------------------------------------------------------

ARRANGING = [
    (one("Flatten", "flatten_param { axis: 2 end_axis: 1 }"), (2, 3, 4, 5), (2, 3, 1, 4, 5)),
    (one("Flatten", "flatten_param { axis: 0 }"), (2, 3, 4, 5), (120,)),
    (one("Flatten", "flatten_param { axis: -3 end_axis: -2 }"), (2, 3, 4, 5), (2, 12, 5)),
    (one("Flatten", "flatten_param { axis: 2 end_axis: 2 }"), (2, 3, 4, 5), (2, 3, 4, 5)),
    (one("Flatten", "flatten_param { axis: 1 end_axis: 3 }"), (2, 3, 4, 5, 6), (2, 60, 6)),
    (one("Flatten"), (3, 4), (3, 4)),
    (one("Reshape", "reshape_param { shape { dim: 0 dim: 0 dim: -1 } }"), (2, 3, 4, 5), (2, 3, 20)),
    (one("Reshape", "reshape_param { shape { dim: -1 dim: 0 } }"), (2, 6, 4, 5), (40, 6)),
    (one("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: -1 } axis: 1 }"), (2, 6, 4, 5), (2, 6, 2, 10)),
    (one("Reshape", "reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 1 }"), (2, 6, 4, 5), (2, 2, 3, 4, 5)),
    (one("Reshape", "reshape_param { shape { dim: 1 dim: 1 } axis: 2 num_axes: 0 }"), (2, 6, 4, 5), (2, 6, 1, 1, 4, 5)),
    (one("Reshape", "reshape_param { shape { dim: -1 dim: 2 } axis: -2 num_axes: 1 }"), (2, 3, 4, 6), (2, 3, 4, 3, 2)),
    (one("Reshape", "reshape_param { shape { dim: -1 } axis: 1 num_axes: 2 }"), (2, 3, 4, 5), (2, 12, 5)),
    (one("Reshape", "reshape_param { shape { dim: 0 dim: 0 dim: 0 dim: 0 } }"), (2, 3, 4, 5), (2, 3, 4, 5)),
    (one("Permute", "permute_param { order: 1 }"), (2, 3, 4), (3, 2, 4)),
    (one("Permute", "permute_param { order: 0 order: 1 }"), (2, 3, 4), (2, 3, 4)),
    (one("Permute", "permute_param { order: 4 order: 0 }"), (2, 3, 4, 5, 6), (6, 2, 3, 4, 5)),
    (one("Tile", "tile_param { axis: -1 tiles: 3 }"), (2, 3), (2, 9)),
    (one("Tile", "tile_param { axis: 0 tiles: 2 }"), (2, 3, 4, 5, 6), (4, 3, 4, 5, 6)),
    (one("CropCenter", "crop_center_param { crop_size: 0 crop_size: 1 crop_size: 2 }"), (2, 3, 7), (2, 1, 3)),
    (one("Upsample", "upsample_param { scale: 3 }"), (2, 3, 4, 5), (2, 3, 12, 15)),
    (one("ArgMax"), (3, 5), (3, 1, 1)),
    (one("ArgMax", "argmax_param { top_k: 2 out_max_val: true }"), (3, 2, 3, 2, 2), (3, 2, 2, 1, 1)),
    (one("ArgMax", "argmax_param { axis: -1 top_k: 2 }"), (3, 2, 6), (3, 2, 2)),
    (one("Reduction", "reduction_param { axis: -1 operation: SUMSQ coeff: -2 }"), (3, 2, 6), (3, 2)),
    (one("Reduction", "reduction_param { operation: MEAN coeff: 0.5 }"), (6,), ()),
    (one("Im2col", "convolution_param { kernel_size: 3 }"), (2, 3, 8), (2, 9, 6)),
    (
        one("Im2col", "convolution_param { kernel_h: 2 kernel_w: 1 pad_h: 1 pad_w: 0 stride: 2 dilation: 2 }"),
        (1, 3, 8, 7),
        (1, 6, 4, 4),
    ),
    (
        one("Im2col", "convolution_param { kernel_size: 2 kernel_size: 1 kernel_size: 2 }"),
        (1, 2, 3, 4, 5),
        (1, 8, 2, 4, 4),
    ),
]


@pytest.mark.parametrize(("text", "shape", "top"), ARRANGING, ids=lambda v: v if isinstance(v, str) else None)
def test_shapes_of_any_rank(text: str, shape: tuple[int, ...], top: tuple[int, ...]) -> None:
    net = make(text, x=shape)
    doubled = (shape[0] + 1, *shape[1:-1], shape[-1] * 2)[-len(shape) :]
    first, _ = agree(net, {"x": numbers(*shape)}, {"x": numbers(*doubled)})
    assert first["y"].shape == top


def test_reshape_keeps_the_order_of_numbers() -> None:
    x = numbers(2, 3, 4, 5)
    net = make(one("Reshape", "reshape_param { shape { dim: -1 dim: 2 } axis: 1 num_axes: 2 }"), x=x.shape)
    (got,) = agree(net, {"x": x})
    np.testing.assert_array_equal(got["y"], x.reshape(2, 6, 2, 5))


def test_reshape_to_fixed_sizes_ties_down_what_it_must() -> None:
    net = make(one("Reshape", "reshape_param { shape { dim: 0 dim: 12 dim: 5 } }"), x=(2, 3, 4, 5))
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    assert session.get_inputs()[0].shape == ["x_n", 3, 4, 5]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("shape { dim: -1 dim: -1 }", "shape is (-1, -1)\n  expected: sizes, 0 to copy, -1 once"),
        ("shape { dim: 7 dim: -1 }", "24 numbers do not fill shape (7, -1)\n  expected: a multiple of 7"),
        ("shape { dim: 7 }", "count of the new axes: 7\n  expected: 24"),
        ("shape { dim: 1 } axis: 4", "axis 4, num_axes -1 of a blob with 3 axes\n  expected: axes from 0 to 3"),
        (
            "shape { dim: 1 } axis: 2 num_axes: 2",
            "axis 2, num_axes 2 of a blob with 3 axes\n  expected: axes from 0 to 3",
        ),
    ],
)
def test_reshape_refuses(params: str, problem: str) -> None:
    net = make(one("Reshape", f"reshape_param {{ {params} }}"), x=(2, 3, 4))
    assert problem in refusal(lambda: net.shapes(), NetsurgeryError)


def test_slice_points_with_a_free_axis() -> None:
    net = make(one("Slice", "slice_param { axis: -1 slice_point: 1 slice_point: 4 }", tops="abc"), x=(1, 2, 6))
    for n, got in zip((5, 9), agree(net, {"x": numbers(1, 2, 5)}, {"x": numbers(3, 2, 9)}), strict=True):
        assert [got[t].shape[-1] for t in "abc"] == [1, 3, n - 4]


def test_slice_into_equal_parts_never_cuts_unevenly() -> None:
    net = make(one("Slice", "slice_param { axis: 1 }", tops="abc"), x=(1, 6))
    agree(net, {"x": numbers(2, 9)}, {"x": numbers(2, 3)})
    with pytest.raises(Exception, match=r"(?i)split"):
        cases.session(netsurgery.to_onnx(net).SerializeToString()).run(None, {"x": numbers(1, 7)})
    assert refusal(lambda: netsurgery.run(net, {"x": numbers(1, 7)}), ShapeError) == (
        "net.prototxt:2: layer 'y' (Slice): axis 1: 7\n  expected: a multiple of 3, the number of tops"
    )


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("slice_point: 1 slice_point: 2", "2 slice points for 2 tops\n  expected: none, or 1"),
        ("slice_point: 0", "slice points (0,)\n  expected: positive numbers, each greater than the last"),
        ("axis: 1 slice_dim: 1", "both axis and slice_dim are set\n  expected: one of the two"),
        ("slice_point: 7", "axis 1: 6\n  expected: at least 7"),
    ],
)
def test_slice_refuses(params: str, problem: str) -> None:
    net = make(one("Slice", f"slice_param {{ {params} }}", tops="ab"), x=(1, 6))
    assert problem in refusal(lambda: net.shapes(), NetsurgeryError)


def test_concat_refuses_unequal_axes() -> None:
    net = make(one("Concat", bottoms=("x", "z")), x=(1, 2, 5), z=(1, 3, 4))
    assert refusal(lambda: net.shapes(), ShapeError) == (
        "net.prototxt:3: layer 'y' (Concat): axis 2 of a bottom: 4\n  expected: 5"
    )


@pytest.mark.parametrize(
    ("params", "x", "ref", "cut"),
    [
        ("axis: -1 offset: 3", (2, 3, 9), (1, 1, 4), np.s_[:, :, 3:7]),
        ("axis: 0 offset: 1", (3, 3, 9), (2, 2, 8), np.s_[1:3, 1:3, 1:9]),
        ("axis: 2 offset: 0 offset: 2 offset: 1", (1, 2, 5, 6, 7), (1, 1, 5, 2, 3), np.s_[:, :, 0:5, 2:4, 1:4]),
        ("", (1, 2, 5, 6), (1, 1, 5, 6), np.s_[:]),
    ],
)
def test_crop_of_any_rank(params: str, x: tuple[int, ...], ref: tuple[int, ...], cut: Any) -> None:
    net = make(one("Crop", f"crop_param {{ {params} }}", bottoms=("x", "ref")), x=x, ref=ref)
    feed = {"x": numbers(*x), "ref": numbers(*ref)}
    more = {"x": numbers(*(n + 2 for n in x)), "ref": numbers(*(n + 1 for n in ref))}
    first, _ = agree(net, feed, more)
    np.testing.assert_array_equal(first["y"], feed["x"][cut])


def test_crop_refuses_to_go_outside() -> None:
    net = make(one("Crop", "crop_param { offset: 3 }", bottoms=("x", "ref")), x=(1, 1, 8, 8), ref=(1, 1, 4, 6))
    assert refusal(lambda: net.shapes(), ShapeError) == (
        "net.prototxt:3: layer 'y' (Crop): axis 3: 6 from 3 on, out of 8\n  expected: a part of the first bottom"
    )


# ---- layers that compute ----------------------------------------------------------------------------------------------------


def spread(x: Array, w: Array, b: Array, stride: int, pad: int, dilation: int, group: int) -> Array:
    """Deconvolution, one product at a time."""
    n, c, *size = x.shape
    m = w.shape[1] * group
    full = [stride * (s - 1) + dilation * (k - 1) + 1 for s, k in zip(size, w.shape[2:], strict=True)]
    y = np.zeros((n, m, *full))
    for channel in range(c):
        for j in range(w.shape[1]):
            out = channel // (c // group) * w.shape[1] + j
            for i in np.ndindex(*size):
                for k in np.ndindex(*w.shape[2:]):
                    at = tuple(stride * a + dilation * o for a, o in zip(i, k, strict=True))
                    y[(slice(None), out, *at)] += x[(slice(None), channel, *i)] * w[(channel, j, *k)]
    inner = tuple(slice(pad, s - pad) for s in full)
    return y[(slice(None), slice(None), *inner)] + b.reshape(-1, *[1] * len(size))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "dilation", "group"),
    [
        ((5,), (3,), 2, 1, 1, 1),
        ((3, 4), (3, 2), 2, 0, 2, 2),
        ((3, 4), (4, 4), 3, 4, 1, 1),
        ((2, 3, 2), (2, 2, 2), 2, 1, 1, 4),
        ((1, 1), (1, 1), 1, 0, 1, 2),
    ],
)
def test_deconvolution_of_any_rank(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: int, pad: int, dilation: int, group: int
) -> None:
    w, b, x = numbers(4, 8 // group, *kernel), numbers(8), numbers(2, 4, *size)
    kernels = " ".join(f"kernel_size: {k}" for k in kernel)
    params = f"num_output: 8 {kernels} stride: {stride} pad: {pad} dilation: {dilation} group: {group}"
    net = make(one("Deconvolution", f"convolution_param {{ {params} }}"), [w, b], x=x.shape)
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 4, *(n + 2 for n in size))})
    np.testing.assert_allclose(first["y"], spread(x, w, b, stride, pad, dilation, group), rtol=1e-4, atol=1e-5)


def test_a_scale_folds_into_a_grouped_deconvolution() -> None:
    params = "convolution_param { num_output: 6 kernel_size: 2 group: 2 bias_term: false }"
    scale = 'layer { name: "s" type: "Scale" bottom: "y" top: "s" scale_param { bias_term: true } }'
    net = make(one("Deconvolution", params) + scale, [numbers(4, 3, 2, 2)], x=(1, 4, 3, 3))
    net = net.with_weights("s", numbers(6), numbers(6))
    model = netsurgery.to_onnx(net)
    assert [node.op_type for node in model.graph.node] == ["ConvTranspose"]
    agree(net, {"x": numbers(2, 4, 5, 3)})


def test_deconvolution_refuses_padding_that_leaves_nothing() -> None:
    net = make(one("Deconvolution", "convolution_param { num_output: 1 kernel_size: 3 pad: 2 }"), x=(1, 1, 1, 9))
    assert "padding leaves nothing of the top: [-1, 7]" in refusal(lambda: net.shapes(), ShapeError)


@pytest.mark.parametrize("type", ["Convolution", "Deconvolution", "DepthwiseConvolution"])
@pytest.mark.parametrize(
    ("axis", "shape"), [(0, (3, 2, 6, 7)), (1, (2, 4, 6, 7)), (2, (2, 2, 5, 7)), (3, (2, 2, 6, 8))]
)
def test_bottoms_of_a_convolution_have_one_shape(type: str, axis: int, shape: tuple[int, ...]) -> None:
    params = "convolution_param { num_output: 2 kernel_size: 3 }"
    net = make(one(type, params, ("a", "b"), ("y", "z")), a=(2, 2, 6, 7), b=shape)
    expected = (2, 2, 6, 7)[axis]
    text = (
        f"net.prototxt:3: layer 'y' ({type}): axis {axis} of bottom 1, that of bottom 0 being expected: {shape[axis]}\n"
        f"  expected: {expected}\n"
        '  fix: give each shape a layer of its own: those with the same names (param { name: "w" }) share weights'
    )
    assert refusal(lambda: net.shapes(), ShapeError) == text


def test_bottoms_of_a_convolution_have_one_rank() -> None:
    layer = one("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", ("a", "b"), ("y", "z"))
    text = "net.prototxt:3: layer 'y' (Convolution): bottom 1 has 3 axes: (2, 2, 6)\n  expected: 4 axes"
    assert refusal(lambda: make(layer, a=(2, 2, 6, 7), b=(2, 2, 6)).shapes(), ShapeError) == text


@pytest.mark.parametrize("type", ["Convolution", "Deconvolution"])
def test_bottoms_of_a_convolution_stay_free_together(type: str) -> None:
    layer = one(type, "convolution_param { num_output: 2 kernel_size: 3 }", ("a", "b"), ("y", "z"))
    net = make(layer, [numbers(2, 2, 3, 3), numbers(2)], a=(2, 2, 6, 7), b=(2, 2, 6, 7))
    for feed in agree(
        net, {"a": numbers(2, 2, 6, 7), "b": numbers(2, 2, 6, 7)}, {"a": numbers(1, 2, 9, 5), "b": numbers(1, 2, 9, 5)}
    ):
        assert feed["y"].shape == feed["z"].shape
    sizes = [
        [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in netsurgery.to_onnx(net).graph.input
    ]
    assert sizes[0] == sizes[1]
    assert [isinstance(n, str) for n in sizes[0]] == [True, False, True, True]


def pyramid(x: Array, levels: int, method: str) -> Array:
    """SPP by the windows of Caffe's Pooling, one at a time."""
    n, c, *sizes = x.shape
    tops = []
    for bins in (2**level for level in range(levels)):
        kernel = [-(-s // bins) for s in sizes]
        pad = [(k * bins - s + 1) // 2 for k, s in zip(kernel, sizes, strict=True)]
        top = np.zeros((n, c, bins, bins))
        for place in np.ndindex(bins, bins):
            start = [i * k - p for i, k, p in zip(place, kernel, pad, strict=True)]
            end = [min(a + k, s + p) for a, k, s, p in zip(start, kernel, sizes, pad, strict=True)]
            area = (end[0] - start[0]) * (end[1] - start[1])
            rows, columns = (slice(max(a, 0), min(e, s)) for a, e, s in zip(start, end, sizes, strict=True))
            window = x[:, :, rows, columns]
            top[:, :, place[0], place[1]] = window.max((2, 3)) if method == "MAX" else window.sum((2, 3)) / area
        tops.append(top.reshape(n, -1))
    return np.concatenate(tops, 1)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_spp_at_every_size_that_caffe_takes(method: str) -> None:
    net = make(one("SPP", f"spp_param {{ pyramid_height: 3 pool: {method} }}"), x=(1, 2, 12, 12))
    feeds, refused = [], []
    for height, width in [(h, 16) for h in range(1, 18)] + [(7, 11), (11, 6), (100, 37)]:
        try:
            net.shapes({"x": (1, 2, height, width)})
            feeds.append({"x": numbers(2, 2, height, width) - 3})
        except ShapeError:
            refused.append(height)
    assert refused == [1, 2, 3, 5]  # bins that would lie in the padding altogether: Caffe's Pooling stops there, too
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], pyramid(feed["x"], 3, method), rtol=1e-5, atol=1e-6)


def test_spp_refuses_sizes_that_do_not_fill_the_bins() -> None:
    net = make(one("SPP", "spp_param { pyramid_height: 3 }"), x=(1, 2, 12, 5))
    assert refusal(lambda: net.shapes(), ShapeError) == (
        "net.prototxt:2: layer 'y' (SPP): a size of 5 does not fill 4 bins: kernel 2, pad 2\n"
        "  expected: pad less than kernel\n  fix: a larger image, or a lower pyramid_height"
    )


def test_argmax_takes_the_last_of_equal_values() -> None:
    x = np.array([[1, 3, 0, 3, 3, 1]], np.float32)
    for params, want in [("", [[4]]), ("top_k: 4", [[4, 3, 1, 5]]), ("top_k: 5 axis: 1", [4, 3, 1, 5, 0])]:
        (got,) = agree(make(one("ArgMax", f"argmax_param {{ {params} }}"), x=x.shape), {"x": x})
        np.testing.assert_array_equal(got["y"][0], want)


def test_argmax_refuses_more_than_there_are() -> None:
    net = make(one("ArgMax", "argmax_param { axis: 1 top_k: 4 }"), x=(1, 3, 9))
    assert "top_k is 4 of 3\n  expected: at most 3" in refusal(lambda: net.shapes(), ShapeError)


def accuracy(x: Array, labels: Array, axis: int, top_k: int, ignored: int | None) -> tuple[float, Array]:
    """Accuracy as Caffe counts it, one label at a time."""
    rows = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    of_class, hits = np.zeros(x.shape[axis]), np.zeros(x.shape[axis])
    for row, value in zip(rows, labels.reshape(-1), strict=True):
        label = int(value)
        if label != ignored:
            of_class[label] += 1
            hits[label] += sum(score >= row[label] for score in row) - 1 < top_k
    share = hits.sum() / of_class.sum() if of_class.sum() else 0
    return share, np.divide(hits, of_class, out=np.zeros_like(hits), where=of_class > 0)


@pytest.mark.parametrize(
    ("shape", "label", "axis", "top_k", "ignored"),
    [
        ((4, 5), (4,), 1, 1, None),
        ((4, 5), (4, 1, 1, 1), -1, 3, 2),
        ((2, 5, 3, 4), (2, 1, 3, 4), 1, 2, 255),
        ((2, 5, 3, 4), (2, 3, 4), -3, 1, -1),
        ((5, 3), (3,), 0, 1, None),
        ((6,), (1,), 0, 2, None),
    ],
)
def test_accuracy(shape: tuple[int, ...], label: tuple[int, ...], axis: int, top_k: int, ignored: int | None) -> None:
    ignore = "" if ignored is None else f"ignore_label: {ignored}"
    params = f"accuracy_param {{ axis: {axis} top_k: {top_k} {ignore} }}"
    net = make(one("Accuracy", params, ("x", "label"), ("y", "per_class")), x=shape, label=label)
    x = RNG.integers(0, 4, shape).astype(np.float32)  # with ties
    labels = RNG.integers(0, shape[axis], label).astype(np.float32)
    feeds = [{"x": x, "label": labels}]
    if ignored is not None:
        some = np.where(RNG.random(label) < 0.4, np.float32(ignored), labels)
        feeds += [{"x": x, "label": some}, {"x": x, "label": np.full(label, ignored, np.float32)}]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        share, by_class = accuracy(feed["x"], feed["label"], axis, top_k, ignored)
        np.testing.assert_allclose(got["y"], share, rtol=1e-6)
        np.testing.assert_allclose(got["per_class"], by_class, rtol=1e-6)


def test_accuracy_of_nothing_is_zero() -> None:
    chosen = 'layer { name: "f" type: "Filter" bottom: "x" bottom: "label" bottom: "use" top: "fx" top: "fl" }'
    net = make(chosen + one("Accuracy", bottoms=("fx", "fl")), x=(4, 3), label=(4,), use=(4, 1))
    feed = {"x": numbers(4, 3), "label": np.zeros(4, np.float32)}
    none, two = agree(
        net,
        {**feed, "use": np.zeros((4, 1), np.float32)},
        {**feed, "use": np.array([[0.5], [0], [-1], [0]], np.float32)},
    )
    assert none["y"] == 0 and none["fx"].shape == (0, 3) and two["fx"].shape == (2, 3)


def test_labels_and_indices_outside_are_refused() -> None:
    net = make(one("Accuracy", bottoms=("x", "label")), x=(2, 3), label=(2,))
    feed = {"x": numbers(2, 3), "label": np.array([0, 3], np.float32)}
    assert "labels from 0 to 3\n  expected: 0 to 2" in refusal(lambda: netsurgery.run(net, feed), NetsurgeryError)
    net = make(one("BatchReindex", bottoms=("x", "i")), x=(2, 3), i=(2,))
    feed = {"x": numbers(2, 3), "i": np.array([0, -1], np.float32)}
    assert "indices from -1.0 to 0.0\n  expected: 0 to 1" in refusal(lambda: netsurgery.run(net, feed), ShapeError)


def test_filter_wants_a_top_for_each_bottom() -> None:
    net = make(one("Filter", bottoms=("x", "z", "sel")), x=(2, 3), z=(2,), sel=(2,))
    assert refusal(lambda: net.shapes(), UnsupportedError) == (
        "net.prototxt:4: layer 'y' (Filter): 1 tops for 3 bottoms\n  expected: 2: one for each bottom but the selector"
    )


# ---- layers of forks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "size", "top"),
    [
        ("height: 1 width: 5", (4, 7), (1, 5)),
        ("height: 4 width: 1", (4, 7), (4, 1)),
        ("height: 4 width: 1 pad_beg: -1", (5, 7), (4, 1)),
        ("zoom_factor: 3", (1, 4), (1, 10)),
        ("shrink_factor: 3 zoom_factor: 2 pad_end: -2", (9, 4), (5, 1)),
        ("full_zoom_factor: 2", (3, 4), (6, 8)),
        ("zoom_factor: 2 height: 9 width: 9", (3, 4), (5, 7)),
    ],
)
def test_interp_sizes(params: str, size: tuple[int, int], top: tuple[int, int]) -> None:
    net = make(one("Interp", f"interp_param {{ {params} }}"), x=(1, 2, *size))
    first, _ = agree(net, {"x": numbers(1, 2, *size)}, {"x": numbers(2, 2, size[0] + 4, size[1] + 1)})
    assert first["y"].shape[2:] == top


def test_interp_refuses() -> None:
    for params, problem in [
        ("pad_beg: 1 zoom_factor: 2", "pad_beg 1, pad_end 0\n  expected: 0 or less"),
        ("height: 4", "no size is set\n  expected: height and width, shrink_factor or zoom_factor"),
        ("zoom_factor: 0", "a size or factor is less than 1\n  expected: positive numbers"),
    ]:
        net = make(one("Interp", f"interp_param {{ {params} }}"), x=(1, 2, 5, 5))
        assert problem in refusal(lambda net=net: net.shapes(), UnsupportedError)  # type: ignore[misc]


def test_unpooling_lets_the_last_of_several_win() -> None:
    net = make(
        one("Upsample", "upsample_param { upsample_h: 2 upsample_w: 3 }", ("x", "m")), x=(2, 2, 3, 4), m=(2, 2, 3, 4)
    )
    x, mask = numbers(2, 2, 3, 4), RNG.integers(0, 6, (2, 2, 3, 4)).astype(np.float32)
    want = np.zeros((2, 2, 6), np.float32)
    for n, c, i, j in np.ndindex(*x.shape):
        want[n, c, int(mask[n, c, i, j])] = x[n, c, i, j]
    (got,) = agree(net, {"x": x, "m": mask}, opsets=(18, 21))
    np.testing.assert_array_equal(got["y"], want.reshape(2, 2, 2, 3))
    feed = {"x": x, "m": mask + 1}
    assert "the mask points to places from 1 to 6" in refusal(lambda: netsurgery.run(net, feed), NetsurgeryError)
    assert "unpooling at opset 17" in refusal(lambda: netsurgery.to_onnx(net, opset=17), UnsupportedError)


def test_unpooling_at_a_fixed_size_holds_no_plane_of_zeros() -> None:
    net = make(one("Upsample", "upsample_param { scale: 2 }", ("x", "m")), x=(1, 64, 90, 120), m=(1, 64, 90, 120))
    assert netsurgery.to_onnx(net, static=True).ByteSize() < 200_000


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("scale_h: 2", "the size is not clear"),
        ("scale: 3 pad_out_h: true", "pad_out_h or _w with scale (3, 3)\n  expected: scale 2"),
        ("scale: 1", "scale (1, 1)\n  expected: 2 or more"),
    ],
)
def test_unpooling_refuses(params: str, problem: str) -> None:
    net = make(one("Upsample", f"upsample_param {{ {params} }}", ("x", "m")), x=(1, 1, 2, 2), m=(1, 1, 2, 2))
    assert problem in refusal(lambda: net.shapes(), UnsupportedError)


def test_upsample_refuses_a_broken_scale_and_the_fields_of_unpooling() -> None:
    net = make(one("Upsample", "upsample_param { scale: 1.5 }"), x=(1, 1, 2, 2))
    assert "scale is 1.5\n  expected: a positive whole number" in refusal(lambda: net.shapes(), UnsupportedError)
    net = make(one("Upsample", "upsample_param { upsample_h: 4 }"), x=(1, 1, 2, 2))
    assert "field 'upsample_h: 4' is not used" in refusal(lambda: net.shapes(), UnsupportedError)


def test_reorg_moves_numbers_as_darknet_does() -> None:
    s, (n, c, h, w) = 2, (2, 8, 4, 6)
    x, o = numbers(n, c, h, w), c // (s * s)
    want = np.zeros(x.size, np.float32)
    for b, k, j, i in np.ndindex(n, c, h, w):
        column, row = i * s + k // o % s, j * s + k // o // s
        want[i + w * (j + h * (k + c * b))] = x.reshape(-1)[column + w * s * (row + h * s * (k % o + o * b))]
    net = make(one("Reorg", "reorg_param { stride: 2 }"), x=x.shape)
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 12, 2, 8)})
    np.testing.assert_array_equal(first["y"], want.reshape(n, c * s * s, h // s, w // s))
    problem = refusal(lambda: net.shapes({"x": (1, 8, 5, 6)}), ShapeError)
    assert problem == "net.prototxt:2: layer 'y' (Reorg): height 5\n  expected: a multiple of 2"


def resample(x: Array, new: tuple[int, int], method: str, antialias: bool) -> Array:
    """Resample, one output at a time."""
    (h, w), (rows, columns) = x.shape[2:], new
    fx, fy = w / columns, h / rows
    smooth = antialias and (fx > 1 or fy > 1)
    ax, ay = (1 / fx, 1 / fy) if smooth else (1, 1)

    def k(d: float) -> float:
        d = abs(d)
        if method == "LINEAR":
            return max(0.0, 1 - d)
        return d * d * (1.5 * d - 2.5) + 1 if d <= 1 else d * (d * (2.5 - 0.5 * d) - 4) + 2 if d < 2 else 0

    y = np.zeros((*x.shape[:2], rows, columns))
    for i, j in np.ndindex(rows, columns):
        u, v = j * fx + fy / 2 - 0.5, i * fy + fx / 2 - 0.5
        weights = np.array([[k(ay * (v - r)) * k(ax * (u - c)) for c in range(w)] for r in range(h)])
        if weights.sum():
            y[:, :, i, j] = (weights * x).sum((2, 3)) / weights.sum()
    return y


@pytest.mark.parametrize("method", ["LINEAR", "CUBIC"])
@pytest.mark.parametrize("antialias", [True, False])
def test_resample_by_unequal_factors(method: str, antialias: bool) -> None:
    params = f"resample_param {{ height: 4 width: 9 type: {method} antialias: {str(antialias).lower()} }}"
    net = make(one("Resample", params), x=(1, 2, 6, 6))
    feeds = [{"x": numbers(2, 2, h, w)} for h, w in ((6, 6), (5, 12), (11, 3), (3, 7))]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], resample(feed["x"], (4, 9), method, antialias), rtol=1e-4, atol=1e-5)


def test_resample_to_the_size_of_another_blob() -> None:
    for method in ("NEAREST", "LINEAR"):
        params = f"resample_param {{ type: {method} }}"
        net = make(one("Resample", params, ("x", "ref")), x=(1, 2, 6, 8), ref=(1, 1, 3, 4))
        first, _ = agree(
            net,
            {"x": numbers(1, 2, 6, 8), "ref": numbers(1, 1, 3, 4)},
            {"x": numbers(2, 2, 4, 5), "ref": numbers(2, 3, 8, 10)},
        )
        assert first["y"].shape == (1, 2, 3, 4)
    feed = {"x": (1, 1, 8, 4), "ref": (1, 1, 2, 4)}
    net = make(one("Resample", "resample_param { type: NEAREST }", ("x", "ref")), x=(1, 1, 4, 4), ref=(1, 1, 4, 4))
    assert "nearest from 8x4 to 2x4" in refusal(lambda: net.shapes(feed), ShapeError)


def test_imresize_follows_openpose() -> None:
    x, new = numbers(1, 2, 5, 7), (20, 28)
    wide = np.zeros((1, 2, *new))

    def taps(old: int, many: int, at: int) -> list[tuple[int, float]]:
        p = (at - (many / old / 2 - 0.5)) * (old / many)
        q = max(int(p + 1e-5), 0)
        after = min(q + 1, old - 1)
        d = p - q
        shares = (
            -0.5 * d**3 + d**2 - 0.5 * d,
            1.5 * d**3 - 2.5 * d**2 + 1,
            -1.5 * d**3 + 2 * d**2 + 0.5 * d,
            0.5 * d**3 - 0.5 * d**2,
        )
        return list(zip((max(q - 1, 0), q, after, min(after + 1, old - 1)), shares, strict=True))

    for i, j in np.ndindex(*new):
        for row, a in taps(5, 20, i):
            for column, b in taps(7, 28, j):
                wide[:, :, i, j] += a * b * x[:, :, row, column]
    net = make(one("ImResize", "imresize_param { factor: 4 scale_gap: 0.3 start_scale: 1.0 }"), x=x.shape)
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 2, 3, 4)})
    np.testing.assert_allclose(first["y"], wide, rtol=1e-4, atol=1e-5)
    net = make(one("ImResize", "imresize_param { target_spatial_height: 6 target_spatial_width: 11 }"), x=x.shape)
    assert agree(net, {"x": x}, {"x": numbers(1, 2, 9, 4)})[0]["y"].shape == (1, 2, 6, 11)
    assert "batch: 2\n  expected: 1" in refusal(lambda: net.shapes({"x": (2, 2, 5, 7)}), ShapeError)


def test_enets_dropout_scales_and_folds() -> None:
    module = "module: 'spatial_dropout' layer: 'SpatialDropoutLayer'"
    conv = one("Convolution", "convolution_param { num_output: 2 kernel_size: 1 }", tops=("c",)).replace('"y"', '"c"')
    drop = one("Python", f"python_param {{ {module} param_str: \"{{'phase': 'TEST', 'p': '0.2'}}\" }}", ("c",))
    net = make(conv + drop, [numbers(2, 3, 1, 1), numbers(2)], "c", x=(1, 3, 4, 4))
    assert [node.op_type for node in netsurgery.to_onnx(net).graph.node] == ["Conv"]
    (got,) = agree(net, {"x": numbers(2, 3, 5, 4)})
    np.testing.assert_allclose(got["y"], got["c"] * 1.25, rtol=1e-6)
    for settings, problem in [
        ("'phase': 'TRAIN', 'p': 0.2", "phase TRAIN in param_str: it drops channels at random"),
        ("'phase': 'TEST'", "p is not set in param_str\n  expected: a number between 0 and 1"),
        ("'phase': 'TEST', 'p': 1", "p is 1 in param_str\n  expected: a number between 0 and 1"),
    ]:
        net = make(one("Python", f'python_param {{ {module} param_str: "{settings}" }}'), x=(1, 3, 4, 4))
        assert problem in refusal(net.require_supported, UnsupportedError)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (one("Interp", "interp_param { zoom_factor: 3 }"), (5, 6)),
        (one("Interp", "interp_param { shrink_factor: 2 pad_beg: -1 }"), (8, 6)),
        (one("Interp", "interp_param { height: 7 width: 4 }"), (5, 6)),
        (one("Upsample", "upsample_param { scale: 3 }"), (4, 3)),
        (one("CropCenter", "crop_center_param { crop_size: 0 crop_size: 0 crop_size: 1 crop_size: 2 }"), (6, 7)),
        (one("Resample", "resample_param { height: 3 width: 4 type: CUBIC }"), (7, 8)),
        (one("Resample", "resample_param { height: 9 width: 12 type: NEAREST }"), (6, 7)),
        (one("ImResize", "imresize_param { factor: 4 }"), (5, 6)),
    ],
)
def test_positions_see_no_further_than_they_say(text: str, size: tuple[int, int]) -> None:
    from netsurgery.receptive_field import geometry

    net = make(text, x=(1, 1, *size))
    found = geometry(net, "y")
    x = numbers(1, 1, *size)
    before = netsurgery.run(net, {"x": x})["y"]
    for pixel in np.ndindex(*size):
        other = x.copy()
        other[0, 0][pixel] += 1
        for position in np.argwhere(netsurgery.run(net, {"x": other})["y"][0, 0] != before[0, 0]).tolist():
            rows, columns = found.window(*position)
            assert pixel[0] in rows and pixel[1] in columns, (pixel, position)


# ---- layers that bring numbers in -------------------------------------------------------------------------------------------

SUM = 'layer { name: "s" type: "Concat" bottom: "x" bottom: "y" top: "s" }'


def test_constant_dummy_data_is_no_input() -> None:
    filler = 'data_filler { type: "constant" value: 2.5 }'
    net = make(
        one("DummyData", f"dummy_data_param {{ {filler} num: 1 channels: 2 height: 3 width: 3 }}", ()) + SUM,
        x=(1, 1, 3, 3),
    )
    assert list(net.inputs) == ["x"]
    x = numbers(1, 4, 3, 3)
    (got,) = agree(net, {"x": x})
    np.testing.assert_array_equal(got["s"], np.concatenate([x, np.full((1, 2, 3, 3), 2.5, np.float32)], 1))


def test_random_dummy_data_is_an_input() -> None:
    params = 'dummy_data_param { data_filler { type: "gaussian" std: 2 } shape { dim: 2 dim: 3 } shape { dim: 2 } }'
    net = from_text(one("DummyData", params, (), ("y", "z")))
    assert dict(net.inputs) == {"y": (2, 3), "z": (2,)}


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        (
            'data_filler { type: "uniform" } data_filler { type: "constant" } shape { dim: 1 }',
            "some tops are constant, some random",
        ),
        ('data_filler { type: "unknown" } shape { dim: 1 }', "filler 'unknown'"),
        (
            "num: 1 channels: 1 height: 1 width: 1 shape { dim: 1 }",
            "both shape and num, channels, height, width are set",
        ),
        ("", "0 times shape for 2 tops\n  expected: one for all, or one each"),
        ("num: 1 channels: 2", "0 times height for 2 tops"),
    ],
)
def test_dummy_data_refuses(params: str, problem: str) -> None:
    net = from_text(one("DummyData", f"dummy_data_param {{ {params} }}", (), ("y", "z")))
    assert problem in refusal(net.require_supported, UnsupportedError)


def test_a_parameter_is_part_of_the_model() -> None:
    value = numbers(1, 2, 3, 3)
    net = make(
        one("Parameter", f"parameter_param {{ shape {{ {dims(value.shape)} }} }}", ()) + SUM, [value], x=(1, 1, 3, 3)
    )
    x = numbers(1, 5, 3, 3)
    (got,) = agree(net, {"x": x})
    np.testing.assert_array_equal(got["s"], np.concatenate([x, value], 1))


MEANS = "mean_value: 1 mean_value: 2 mean_value: 3"
SSD = "transform_param { resize_param { height: 300 width: 301 resize_mode: WARP } " + MEANS + " }"
CROP = "transform_param { crop_size: 20 %s }"
SMALL = "image_data_param { batch_size: 2 new_height: 30 new_width: 40 %s }"
VIDEO = "data_param { batch_size: 2 } video_data_param { video_type: WEBCAM } transform_param { crop_h: 3 crop_w: 4 }"
DENSE = "dense_image_data_param { batch_size: 2 source: 's' crop_height: 7 crop_width: 8 }"
DATA = [
    ("Data", "data_param { batch_size: 8 source: 'db' backend: LMDB }" + CROP % MEANS, [(8, 3, 20, 20), (8,)]),
    ("Data", "data_param { batch_size: 8 }" + CROP % "mean_file: 'm'", [None, (8,)]),
    ("Data", "data_param { batch_size: 4 rand_skip: 2 }" + CROP % "force_gray: true", [(4, 1, 20, 20), (4,)]),
    ("ImageData", SMALL % "shuffle: true", [(2, 3, 30, 40), (2,)]),
    ("ImageData", SMALL % "is_color: false" + CROP % "", [(2, 1, 20, 20), (2,)]),
    ("ImageData", "image_data_param { source: 'list' }", [None, (1,)]),
    ("MemoryData", "memory_data_param { batch_size: 1 channels: 3 height: 5 width: 6 }", [(1, 3, 5, 6), (1,)]),
    ("HDF5Data", "hdf5_data_param { batch_size: 3 source: 'x' }", [None, None]),
    ("WindowData", "window_data_param { batch_size: 3 fg_threshold: 0.5 }" + CROP % "", [(3, 3, 20, 20), (3,)]),
    (
        "AnnotatedData",
        "data_param { batch_size: 2 } annotated_data_param { label_map_file: 'l' }" + SSD,
        [(2, 3, 300, 301), None],
    ),
    ("VideoData", VIDEO, [(2, 3, 3, 4), (2,)]),
    ("DenseImageData", DENSE, [(2, 3, 7, 8), (2, 1, 7, 8)]),
]


@pytest.mark.parametrize(("type", "params", "shapes"), DATA)
def test_data_layers_are_inputs(type: str, params: str, shapes: list[tuple[int, ...] | None]) -> None:
    net = from_text(one(type, params, (), ("data", "label")))
    net.require_supported()
    assert list(net.inputs.items()) == list(zip(("data", "label"), shapes, strict=True))


def test_a_field_that_data_layers_do_not_have_is_refused() -> None:
    net = from_text(one("Data", "data_param { batchsize: 8 }", (), ("data",)))
    assert "field 'batchsize: 8' is not known in DataParameter" in refusal(net.require_supported, UnsupportedError)


def test_python_layers_without_bottoms_are_inputs() -> None:
    net = from_text(
        one(
            "Python",
            "python_param { module: 'roi_data_layer.layer' layer: 'RoIDataLayer' param_str: \"'n': 1\" }",
            (),
            ("data", "im_info"),
        )
    )
    net.require_supported()
    assert dict(net.inputs) == {"data": None, "im_info": None}


def test_python_layers_that_are_not_known_are_refused_by_name() -> None:
    net = make(one("Python", "python_param { module: 'my.module' layer: 'Focal' }"), x=(1, 2))
    text = refusal(net.require_supported, UnsupportedError)
    assert (
        "net.prototxt:2: layer 'y' (Python): what Python module 'my.module', layer 'Focal' computes is not known"
        in text
    )
    assert "Python:rpn.proposal_layer.ProposalLayer" in text
    assert "fix: register a layer type 'Python:my.module.Focal' (README: Your own layer)" in text


PARAM_STRS: list[tuple[str, dict[str, Any]]] = [
    ("'feat_stride': 16", {"feat_stride": 16}),
    ("'feat_stride': 16 \n'scales': !!python/tuple [4, 8.5]", {"feat_stride": 16, "scales": [4, 8.5]}),
    ("{'a': (1, 2), \"b\": {c: True, d: null}, e: c:/x y,}", {"a": [1, 2], "b": {"c": True, "d": None}, "e": "c:/x y"}),
    ("a: it's # remark\n\n# more\nb: 'it''s'\nc: -1e-3", {"a": "it's", "b": "it's", "c": -0.001}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "want"), PARAM_STRS)
def test_param_str_is_read_as_data(text: str, want: dict[str, Any]) -> None:
    assert ParamStr(text, "'y' (Python)", Source("f", 3)).read() == want


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("__import__('os')", "__import__"),
        ("[1]", "["),
        ("a: [1", "its end"),
        ("{a: 1}}", "}"),
        ("a: 1 b: 2", ":"),
        ("a: &anchor 1", "&anchor 1"),
        ("- a", "- a"),
        ("a: 'x", "'x"),
        ("a: " + "[" * 99, "deep nesting"),
    ],
)
def test_param_str_that_is_not_data_is_refused(text: str, at: str) -> None:
    assert refusal(lambda: ParamStr(text, "'y' (Python)", Source("f", 3)).read(), ParseError) == (
        f"f:3: layer 'y' (Python): param_str cannot be read at: {at}\n"
        "  expected: entries like 'feat_stride': 16, with numbers, words, lists and mappings in {}"
    )
