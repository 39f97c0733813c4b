"""Layers that pool regions and for which no numbers of Caffe's exist: held against the forks' kernels, gone through number by number."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
import pytest
from one_layer import Array, agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import ShapeError, UnsupportedError

F = np.float32


def between(plane: Array, row: float, column: float) -> float:
    """The value at a place of a map, between the four pixels around it; the edge's where there are none."""
    h, w = plane.shape
    row, column = max(row, 0), max(column, 0)
    low = [min(int(row), h - 1), min(int(column), w - 1)]
    high = [min(low[0] + 1, h - 1), min(low[1] + 1, w - 1)]
    b = row - low[0] if low[0] < h - 1 else 0
    a = column - low[1] if low[1] < w - 1 else 0
    upper = (1 - a) * plane[low[0], low[1]] + a * plane[low[0], high[1]]
    return float((1 - b) * upper + b * ((1 - a) * plane[high[0], low[1]] + a * plane[high[0], high[1]]))


def c_round(x: float) -> float:
    return floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


def test_masks_hide_features() -> None:
    net = make(one("MaskPooling", "", ("x", "m")), x=(2, 3, 4, 5), m=(2, 1, 4, 5))
    feeds = [{"x": numbers(n, c, h, w), "m": numbers(n, 1, h, w)} for n, c, h, w in ((2, 3, 4, 5), (1, 2, 3, 1))]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], feed["x"] * feed["m"], rtol=1e-6)
    uneven = make(one("MaskPooling", "", ("x", "m")), x=(2, 3, 4, 5), m=(2, 1, 4, 6))
    assert "width of the mask: 6" in refusal(uneven.shapes, ShapeError)


@pytest.mark.parametrize("size", [(16, 32), (4, 8), (32, 16), (2, 4)])
def test_masks_change_their_size(size: tuple[int, int]) -> None:
    height, width = size
    net = make(
        one("MaskResize", f"mask_resize_param {{ output_height: {height} output_width: {width} }}"), x=(2, 1, 8, 16)
    )
    feeds = [{"x": numbers(2, 1, 8, 16)}, {"x": numbers(1, 3, 4, 2)}]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        h, w = feed["x"].shape[2:]
        want = np.zeros(got["y"].shape)
        for n, c, i, j in np.ndindex(*want.shape):
            row, column = F(i) * (F(h) / F(height)), F(j) * (F(w) / F(width))
            if row <= h - 0.5 and column <= w - 0.5:
                want[n, c, i, j] = between(feed["x"][n, c], float(row), float(column))
        np.testing.assert_allclose(got["y"], want, atol=2e-5)


def test_pieces_around_landmarks() -> None:
    params = "multi_roi_pooling_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.5 top_num: 2 }"
    net = make(one("MultiROIPooling", params, ("x", "m"), ("y", "z")), x=(2, 3, 6, 7), m=(2, 2, 2))
    feeds = [
        {"x": numbers(n, 3, h, w), "m": np.random.default_rng(h).uniform(-2, 2 * max(h, w) + 2, (n, 2, 2)).astype(F)}
        for n, h, w in ((2, 6, 7), (1, 9, 5))
    ]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        x = feed["x"]
        for k, top in enumerate("yz"):
            want = np.zeros(got[top].shape, F)
            for n, c, i, j in np.ndindex(*want.shape):
                column = int(c_round(feed["m"][n, k, 0] * F(0.5) - 2)) + j
                row = int(c_round(feed["m"][n, k, 1] * F(0.5) - 1)) + i
                if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                    want[n, c, i, j] = x[n, c, row, column]
            np.testing.assert_array_equal(got[top], want)
    short = one("MultiROIPooling", params, ("x", "m"))
    assert "top_num is 2" in refusal(make(short, x=(2, 3, 6, 7), m=(2, 2, 2)).require_supported, UnsupportedError)


@pytest.mark.parametrize("group", [1, 2])
def test_taps_lie_where_the_offsets_say(group: int) -> None:
    params = f"num_output: 4 kernel_size: 3 pad: 2 dilation: 2 group: {group} deformable_group: 2"
    w, b = numbers(4, 4 // group, 3, 3), numbers(4)
    net = make(
        one("DeformableConvolution", f"deformable_convolution_param {{ {params} }}", ("x", "o")),
        (w, b),
        x=(2, 4, 5, 6),
        o=(2, 36, 5, 6),
    )
    feeds = [{"x": numbers(n, 4, h, v), "o": 2 * numbers(n, 36, h, v)} for n, h, v in ((2, 5, 6), (1, 4, 3))]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        x, o = feed["x"], feed["o"]
        h, v = x.shape[2:]
        want = np.zeros(got["y"].shape)
        for n, m, i, j in np.ndindex(*want.shape):
            total = float(b[m])
            for c, p, q in np.ndindex(*w.shape[1:]):
                channel = m // (4 // group) * (4 // group) + c
                at = channel // 2 * 18 + 2 * (p * 3 + q)
                row, column = i - 2 + 2 * p + o[n, at, i, j], j - 2 + 2 * q + o[n, at + 1, i, j]
                if 0 <= row < h and 0 <= column < v:
                    total += float(w[m, c, p, q]) * between(x[n, channel], row, column)
            want[n, m, i, j] = total
        np.testing.assert_allclose(got["y"], want, atol=1e-4)


def test_offsets_of_another_size_are_refused() -> None:
    text = one("DeformableConvolution", "deformable_convolution_param { num_output: 4 kernel_size: 3 }", ("x", "o"))
    net = make(text, x=(1, 4, 5, 6), o=(1, 72, 5, 6))
    assert "height of the top, as the fork reads the offsets by it: 3" in refusal(net.shapes, ShapeError)


def test_rotated_regions_are_pooled() -> None:
    params = "rotate_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }"
    net = make(one("RotateROIPooling", params, ("x", "r", "i")), x=(2, 3, 9, 11), r=(4, 6), i=(1, 3))
    feeds = []
    for n, h, w, count in ((2, 9, 11, 4), (1, 7, 6, 2)):
        rng = np.random.default_rng(h)
        place = rng.uniform(0.2, 1, (count, 5)) * [2 * w, 2 * h, 1.5 * h, 1.5 * w, 180] - [0, 0, 0, 0, 45]
        rois = np.column_stack([rng.integers(0, n, count), place])
        feeds.append({"x": numbers(n, 3, h, w), "r": rois.astype(F), "i": np.array([[2 * h - 1, 2 * w, 1]], F)})
    for feed, got in zip(feeds, agree(net, *feeds, opsets=(18, 21)), strict=True):
        x = feed["x"]
        high, wide = int(feed["i"][0, 0] * 0.5), int(feed["i"][0, 1] * 0.5)
        want = np.zeros(got["y"].shape)
        for r, (item, cx, cy, h, w, angle) in enumerate(feed["r"]):
            a = np.deg2rad(angle)
            for i, j in np.ndindex(2, 3):
                corner = [
                    (
                        np.cos(a) * w / 6 * (j + dj - 1.5) + np.sin(a) * h / 4 * (i + di - 1) + cx / 2,
                        -np.sin(a) * w / 6 * (j + dj - 1.5) + np.cos(a) * h / 4 * (i + di - 1) + cy / 2,
                    )
                    for di, dj in ((0, 0), (1, 0), (0, 1))
                ]
                first, down, right = map(np.array, corner)
                for row, column in np.ndindex(min(high, x.shape[2]), min(wide, x.shape[3])):
                    at = np.array([column, row]) - first
                    sides = [side - first for side in (down, right)]
                    if all(0 <= side @ at < side @ side for side in sides):
                        want[r, :, i, j] = np.maximum(want[r, :, i, j], x[int(item), :, row, column])
        np.testing.assert_allclose(got["y"], want, atol=1e-6)
    text = refusal(lambda: netsurgery.to_onnx(net, opset=17), UnsupportedError)
    assert text.endswith("fix: --opset 18")


def test_warped_regions_take_the_greatest_sample() -> None:
    params = "roi_warping_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }"
    net = make(one("ROIWarping", params, ("x", "r")), x=(2, 3, 9, 11), r=(3, 5))
    rois = np.array([[0, 1, 2, 19, 15], [1, -6, -4, 9, 30], [1, 5, 6, 5, 6]], F)
    feeds = [{"x": numbers(2, 3, 9, 11), "r": rois}, {"x": numbers(2, 3, 12, 5), "r": rois[:2]}]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        x = feed["x"]
        h, w = x.shape[2:]
        want = np.zeros(got["y"].shape)
        for r, c, i, j in np.ndindex(*want.shape):
            item, x1, y1, x2, y2 = feed["r"][r]
            x1, y1, x2, y2 = (c_round(v * 0.5) for v in (x1, y1, x2, y2))
            spans = [(y1, F(max(y2 - y1, 0)) / F(3), i), (x1, F(max(x2 - x1, 0)) / F(2), j)]
            samples = []
            for start, span, first in spans:
                step = F(1) / F(ceil(span)) if span else F(np.inf)
                t, at = F(first), []
                while t <= first + 1:
                    at.append(float(start + t * span))
                    t = F(t + step)
                samples.append(at)
            values = [
                between(x[int(item), c], row, column)
                for row in samples[0]
                for column in samples[1]
                if -0.5 <= row <= h - 0.5 and -0.5 <= column <= w - 0.5
            ]
            want[r, c, i, j] = max(values, default=0)
        np.testing.assert_allclose(got["y"], want, atol=1e-5)


def test_samples_of_other_forks_are_refused() -> None:
    net = make(
        one("PSROIAlign", "psroi_align_param { output_dim: 2 group_size: 2 spatial_scale: 1 }", ("x", "r")),
        x=(1, 8, 4, 5),
        r=(1, 5),
    )
    assert refusal(net.shapes, UnsupportedError).endswith(
        "layer 'y' (PSROIAlign): sample_num is not set: forks without it take other samples\n"
        "  expected: sample_num, of afantideng's R-FCN\n"
        "  fix: sample_num: 2, if the net is of that fork, where it is the default"
    )
    uneven = "psroi_align_param { output_dim: 2 group_size: 2 spatial_scale: 1 sample_num: 2 }"
    net = make(one("PSROIAlign", uneven, ("x", "r")), x=(1, 9, 4, 5), r=(1, 5))
    assert "channels, output_dim times group_size squared being expected: 9" in refusal(net.shapes, ShapeError)


def test_the_masks_of_a_roi_align_are_multiplied_before_its_maps() -> None:
    params = "roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }"
    net = make(one("ROIAlign", params, ("x", "r")), x=(1, 2, 5, 6), r=(4, 5))
    nodes = netsurgery.to_onnx(net).graph.node
    (align,) = (n for n in nodes if n.op_type == "RoiAlign")
    (last,) = (n for n in nodes if align.output[0] in n.input)
    assert (last.op_type, list(last.output)) == ("Mul", ["y"])
