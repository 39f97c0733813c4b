"""Layers that move, cut, spread and count numbers: sizes, axes and refusals that the cases of fixtures/ lack."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError

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


def test_labels_and_indices_outside_are_refused() -> None:
    net = make(one("Accuracy", bottoms=("x", "label")), x=(2, 3), label=(2,))
    feed = {"x": numbers(2, 3), "label": np.array([0, 3], np.float32)}
    assert "labels from 0 to 3\n  expected: 0 to 2" in refusal(lambda: netsurgery.run(net, feed), NetsurgeryError)
    net = make(one("BatchReindex", bottoms=("x", "i")), x=(2, 3), i=(2,))
    feed = {"x": numbers(2, 3), "i": np.array([0, -1], np.float32)}
    assert "indices from -1.0 to 0.0\n  expected: 0 to 1" in refusal(lambda: netsurgery.run(net, feed), ShapeError)


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
