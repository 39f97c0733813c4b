"""Poolings and convolutions over any number of axes, in the words of the forks: each against the same thing said otherwise."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from fork_loops import Array, hold, net, run_onnx
from small_nets import with_random_weights

import netsurgery
from netsurgery.formats.load import from_text

RNG = np.random.default_rng(3)

VIDEO = RNG.normal(0, 1, (2, 3, 5, 9, 8)).astype(np.float32)
PLAIN = 'type: "Pooling" top: "y" pooling_param { pool: MAX kernel_size: [2, 3, 3] stride: [1, 2, 2] }'
SAME_POOLINGS = {
    "once": (
        "kernel_size: 3 stride: 2",
        'type: "Pooling" top: "y" pooling_param { kernel_size: [3, 3, 3] stride: [2, 2, 2] }',
    ),
    "NdPooling": (
        PLAIN,
        'type: "NdPooling" top: "y" pooling_param { kernel_shape { dim: 2 dim: 3 dim: 3 } stride_shape { dim: 1 dim: 2 dim: 2 } }',
    ),
    "Intel": (PLAIN, 'type: "Pooling" top: "y" pooling_param { kernel_size_3d: [2, 3, 3] stride_3d: [1, 2, 2] }'),
    "P3D": (PLAIN, 'type: "Pooling3D" top: "y" pooling3d_param { kernel_size: 3 kernel_l: 2 stride: 2 }'),
    "kernel_l": (PLAIN, 'type: "Pooling" top: "y" pooling_param { kernel_size: 3 kernel_l: 2 stride: 2 }'),
    "C3D": (PLAIN, 'type: "Pooling3D" top: "y" pooling3d_param { kernel_size: 3 kernel_depth: 2 stride: 2 }'),
    "PoolingND": (PLAIN, 'type: "PoolingND" top: "y" pooling_nd_param { kernel_size: [2, 3, 3] stride: [1, 2, 2] }'),
}


@pytest.mark.parametrize("name", SAME_POOLINGS)
def test_poolings_in_other_words(name: str) -> None:
    first, second = SAME_POOLINGS[name]
    first = first if "type" in first else f'type: "Pooling" top: "y" pooling_param {{ {first} }}'
    one, other = (netsurgery.run(net(text, VIDEO.shape), {"x0": VIDEO})["y"] for text in (first, second))
    np.testing.assert_array_equal(one, other)


SAME_CONVOLUTIONS = {
    "NdConvolution": (
        "kernel_size: [2, 3, 3] stride: [1, 2, 2] pad: [0, 1, 1]",
        'type: "NdConvolution" top: "y" convolution_param { num_output: 4 kernel_shape { dim: 2 dim: 3 dim: 3 }'
        " stride_shape { dim: 1 dim: 2 dim: 2 } pad_shape { dim: 0 dim: 1 dim: 1 } }",
    ),
    "C3D's words": (
        "kernel_size: [2, 3, 3] stride: [1, 2, 2] pad: [1, 0, 0]",
        'type: "Convolution" top: "y" convolution_param { num_output: 4 kernel_size: 3 kernel_depth: 2 stride: 2 temporal_pad: 1 }',
    ),
}


@pytest.mark.parametrize("name", SAME_CONVOLUTIONS)
def test_convolutions_in_other_words(name: str) -> None:
    plain, other = SAME_CONVOLUTIONS[name]
    first = net(f'type: "Convolution" top: "y" convolution_param {{ num_output: 4 {plain} }}', VIDEO.shape)
    second = net(other, VIDEO.shape).with_weights("y", *first["y"].weights)
    one, again = (netsurgery.run(n, {"x0": VIDEO})["y"] for n in (first, second))
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("word", ["hole: 2", "hole_h: 2 hole_w: 2", "filter_stride: 2", "kernel_stride: 2"])
def test_dilation_in_other_words(word: str) -> None:
    x = VIDEO[:, :, 0]
    first = net('type: "Convolution" top: "y" convolution_param { num_output: 4 kernel_size: 3 dilation: 2 }', x.shape)
    second = net(f'type: "Convolution" top: "y" convolution_param {{ num_output: 4 kernel_size: 3 {word} }}', x.shape)
    second = second.with_weights("y", *first["y"].weights)
    one, again = (netsurgery.run(n, {"x0": x})["y"] for n in (first, second))
    np.testing.assert_array_equal(one, again)


def max_with_dilation(x: Array) -> list[Array]:
    n, c, h, w = x.shape
    out = [-(-(side - 5) // 2) + 1 for side in (h, w)]
    y = np.empty((n, c, *out))
    for i, j in np.ndindex(*out):
        y[:, :, i, j] = x[:, :, 2 * i : 2 * i + 5 : 2, 2 * j : 2 * j + 5 : 2].max(axis=(2, 3))
    return [y]


def test_pooling_with_dilation() -> None:
    x = VIDEO[:, :, 0]
    hold(
        net('type: "Pooling" top: "y" pooling_param { kernel_size: 3 stride: 2 dilation: 2 }', x.shape),
        [x],
        max_with_dilation,
    )


def test_where_both_are_set_round_mode_counts() -> None:
    text = 'type: "Pooling" top: "y" pooling_param { kernel_size: 2 stride: 2 round_mode: FLOOR ceil_mode: true }'
    assert net(text, (1, 1, 5, 5)).shapes()["y"] == (1, 1, 2, 2)
    assert net(text.replace("FLOOR", "CEIL").replace("true", "false"), (1, 1, 5, 5)).shapes()["y"] == (1, 1, 3, 3)


def test_nets_of_c3d_1_0_in_the_old_vintage() -> None:
    text = """input: "x" input_shape { dim: 1 dim: 2 dim: 4 dim: 8 dim: 8 }
    layers { name: "c" type: CONVOLUTION3D bottom: "x" top: "c" convolution_param { num_output: 3 kernel_size: 3 kernel_depth: 3 pad: 1
    temporal_pad: 1 } }
    layers { name: "p" type: POOLING3D bottom: "c" top: "p" pooling_param { pool: MAX kernel_size: 2 kernel_depth: 1 stride: 2 } }"""
    assert from_text(text).shapes()["p"] == (1, 3, 4, 4, 4)


VIDEO_NET = """input: "data" input_shape { dim: 1 dim: 3 dim: 6 dim: 20 dim: 24 }
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "p1" type: "Pooling" bottom: "c1" top: "p1" pooling_param { kernel_size: [1, 2, 2] stride: [1, 2, 2] } }
layer { name: "fc" type: "InnerProduct" bottom: "p1" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }"""


def test_a_video_net_slides_over_time_height_and_width() -> None:
    """One export; each answer is the old net's on its window of the declared size."""
    old = with_random_weights(from_text(VIDEO_NET))
    new = netsurgery.convolutionalize(old)
    clip = RNG.normal(0, 1, (1, 3, 8, 26, 28)).astype(np.float32)
    got = run_onnx(new, {"data": clip})["prob"]
    assert got.shape == (1, 3, 3, 4, 3)
    np.testing.assert_allclose(got, netsurgery.run(new, {"data": clip})["prob"], atol=1e-6)
    for t, i, j in np.ndindex(*got.shape[2:]):
        window = clip[:, :, t : t + 6, 2 * i : 2 * i + 20, 2 * j : 2 * j + 24]
        np.testing.assert_allclose(got[:, :, t, i, j], netsurgery.run(old, {"data": window})["prob"], atol=1e-5)


@pytest.mark.parametrize(
    ("params", "size", "out"),
    [
        ("kernel_size: 2 stride: 1", (13, 13), (13, 13)),
        ("kernel_size: 2 stride: 2", (13, 8), (6, 4)),
        ("kernel_size: 3 stride: 2 pad: 1", (9, 10), (5, 6)),
        ("kernel_size: 2 stride: 1 round_mode: FLOOR", (13, 13), (12, 12)),
        ("global_pooling: true", (4, 5), (1, 1)),
    ],
)
def test_pooling_that_darknet2caffe_means(params: str, size: tuple[int, int], out: tuple[int, int]) -> None:
    text = (
        f'layer {{ name: "x0" type: "Input" top: "x0" input_param {{ shape {{ dim: 1 dim: 2 dim: {size[0]} dim: {size[1]} }} }} }} '
        f'layer {{ name: "y" type: "Pooling" bottom: "x0" top: "y" pooling_param {{ pool: MAX {params} }} }}'
    )
    made = from_text(text, dialect="darknet")
    assert made.shapes()["y"][2:] == out
    at = made["y"].kind.windows(4) if "global" not in params else None  # type: ignore[attr-defined]

    def loops(x: np.ndarray) -> list[np.ndarray]:
        if at is None:
            return [x.max((2, 3), keepdims=True)]
        (kh, kw), (sh, sw), (ph, pw) = at.kernel, at.stride, at.pad
        y = np.empty((1, 2, *out))
        for i, j in np.ndindex(*out):
            top, left = i * sh - ph, j * sw - pw
            y[..., i, j] = x[..., max(0, top) : top + kh, max(0, left) : left + kw].max((2, 3))
        return [y]

    hold(made, [RNG.normal(0, 1, (1, 2, *size)).astype(np.float32)], loops)
    more = RNG.normal(0, 1, (1, 2, size[0] + 3, size[1] + 2)).astype(np.float32)
    session = cases.session(netsurgery.to_onnx(made).SerializeToString())
    np.testing.assert_array_equal(session.run(None, {"x0": more})[0], netsurgery.run(made, {"x0": more}, ["y"])["y"])
