"""ONNX's poolings of regions in PyTorch: MaxRoiPool, RoiAlign."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor

Attributes = Mapping[str, Any]


def max_roi_pool(a: Attributes, x: Tensor, rois: Tensor) -> Tensor:
    """The largest value of each bin of each region (image, x1, y1, x2, y2); 0 for a bin that is empty."""
    height, width = a["pooled_shape"]
    scale = a.get("spatial_scale", 1.0)
    rows = []
    for roi in rois.detach().tolist():
        x1, y1, x2, y2 = (_round_away(v * scale) for v in roi[1:5])
        h, w = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
        plane = x[int(roi[0])]
        cells = []
        for i in range(height):
            top, bottom = _bin(i, h, height, y1, plane.shape[1])
            for j in range(width):
                left, right = _bin(j, w, width, x1, plane.shape[2])
                if bottom <= top or right <= left:
                    cells.append(plane.new_zeros(plane.shape[0]))
                else:
                    cells.append(plane[:, top:bottom, left:right].amax((1, 2)))
        rows.append(torch.stack(cells, 1).reshape(plane.shape[0], height, width))
    return torch.stack(rows) if rows else x.new_zeros(0, x.shape[1], height, width)


def _round_away(value: float) -> int:
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)


def _bin(i: int, size: int, count: int, start: int, limit: int) -> tuple[int, int]:
    first, last = floor(i * size / count) + start, ceil((i + 1) * size / count) + start
    return min(max(first, 0), limit), min(max(last, 0), limit)


def roi_align(a: Attributes, x: Tensor, rois: Tensor, items: Tensor) -> Tensor:
    """Means (or maxima) of values between pixels, at the middles of the cells that each bin is parted into."""
    size = a.get("output_height", 1), a.get("output_width", 1)
    half = a.get("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale, ratio = a.get("spatial_scale", 1.0), a.get("sampling_ratio", 0)
    rows = []
    for roi, item in zip(rois, items.tolist(), strict=True):
        low, high = roi[:2] * scale - 0.5 * half, roi[2:] * scale - 0.5 * half
        extent = high - low if half else (high - low).clamp(min=1)
        places, cells = [], []
        for axis, count in ((1, size[0]), (0, size[1])):
            cell = ratio or max(ceil(float(extent[axis]) / count), 1)
            k = torch.arange(count * cell, dtype=x.dtype)
            places.append(low[axis] + (k + 0.5) * (extent[axis] / (count * cell)))
            cells.append(cell)
        values = _between(_between(x[item], 1, places[0]), 2, places[1])
        grid = values.reshape(-1, size[0], cells[0], size[1], cells[1])
        rows.append(grid.amax((2, 4)) if a.get("mode", "avg") == "max" else grid.mean((2, 4)))
    return torch.stack(rows) if rows else x.new_zeros(0, x.shape[1], *size)


def _between(plane: Tensor, axis: int, places: Tensor) -> Tensor:
    """Values along an axis at fractional places; 0 beyond a pixel outside of the edge."""
    limit = plane.shape[axis]
    inside = (places >= -1) & (places <= limit)
    at = places.clamp(0, limit - 1)
    first = at.detach().floor().long().clamp(0, limit - 1)
    second = (first + 1).clamp(max=limit - 1)
    shape = [-1 if i == axis else 1 for i in range(plane.dim())]
    t = (at - first).reshape(shape)
    values = plane.index_select(axis, first) * (1 - t) + plane.index_select(axis, second) * t
    return values * inside.reshape(shape)
