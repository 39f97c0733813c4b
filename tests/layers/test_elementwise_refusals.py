"""What layers that act on each number or channel refuse: parameters and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_layer import make, one, refusal

from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.layers.core.fillers import draw


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
