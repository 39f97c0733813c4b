"""ONNX's convolutions, poolings and resizing in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

Attributes = Mapping[str, Any]


def pads(a: Attributes, count: int) -> tuple[list[int], list[int]]:
    """What stands before and behind each axis."""
    both = list(a.get("pads", ())) or [0, 0] * count
    return both[: len(both) // 2], both[len(both) // 2 :]


def padded(x: Tensor, before: Sequence[int], after: Sequence[int], value: float) -> Tensor:
    """x with more around its last axes."""
    around = [n for a, b in zip(reversed(before), reversed(after), strict=True) for n in (a, b)]
    return functional.pad(x, around, value=value) if any(around) else x


def conv(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    before, after = pads(a, x.dim() - 2)
    padding: Any = 0
    if before == after:
        padding = before
    else:
        x = padded(x, before, after, 0.0)
    run = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}[x.dim()]
    y: Tensor = run(
        x, w, b, stride=a.get("strides", 1), padding=padding, dilation=a.get("dilations", 1), groups=a.get("group", 1)
    )
    return y


def conv_transpose(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    before, after = pads(a, x.dim() - 2)
    run = {3: functional.conv_transpose1d, 4: functional.conv_transpose2d, 5: functional.conv_transpose3d}[x.dim()]
    y: Tensor = run(
        x, w, b, stride=a.get("strides", 1), dilation=a.get("dilations", 1), groups=a.get("group", 1),
        output_padding=a.get("output_padding", 0),
    )  # fmt: skip
    for i, (first, last) in enumerate(zip(before, after, strict=True)):
        if first or last:
            y = y.narrow(2 + i, first, y.shape[2 + i] - first - last)
    return y


def _ceil_tail(x: Tensor, a: Attributes) -> tuple[list[int], list[int]]:
    """The padding of a pooling: as said, and behind it what its last window needs where sizes are rounded up."""
    before, after = pads(a, x.dim() - 2)
    if a.get("ceil_mode", 0):
        spread = a.get("dilations", [1] * len(before))
        for i, (size, s, d) in enumerate(zip(a["kernel_shape"], a["strides"], spread, strict=True)):
            k = (size - 1) * d + 1
            n = x.shape[2 + i]
            count = -(-(n + before[i] + after[i] - k) // s) + 1
            if (count - 1) * s >= n + before[i]:  # the last window would start behind image and left padding
                count -= 1
            after[i] = max(after[i], (count - 1) * s + k - n - before[i])
    return before, after


def max_pool(a: Attributes, x: Tensor) -> Tensor:
    """The maxima."""
    wide, _, pool = _max_pool(a, x)
    y: Tensor = pool(wide, return_indices=False)
    return y


def max_pool_places(a: Attributes, x: Tensor) -> tuple[Tensor, ...]:
    """The maxima, and where they are in the flattened x (ONNX's second output)."""
    wide, before, pool = _max_pool(a, x)
    y, places = pool(wide, return_indices=True)
    index = torch.zeros_like(places)
    rest, step = places, 1
    for i in range(x.dim() - 1, 1, -1):
        index = index + (rest % wide.shape[i] - before[i - 2]) * step
        rest, step = rest // wide.shape[i], step * x.shape[i]
    planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(
        x.shape[0], x.shape[1], *[1] * (x.dim() - 2)
    )
    return y, index + planes * step


def _max_pool(a: Attributes, x: Tensor) -> tuple[Tensor, list[int], Any]:
    """x with its padding, how much of it stands before, and the pooling of it."""
    a = {"strides": [1] * (x.dim() - 2), **a}
    before, after = _ceil_tail(x, a)
    wide = padded(x, before, after, float("-inf"))
    pool = {3: functional.max_pool1d, 4: functional.max_pool2d, 5: functional.max_pool3d}[x.dim()]
    settings = {"kernel_size": a["kernel_shape"], "stride": a["strides"], "dilation": a.get("dilations", 1)}
    return wide, before, partial(pool, **settings)


def average_pool(a: Attributes, x: Tensor) -> Tensor:
    kernel, strides = a["kernel_shape"], a.get("strides", [1] * (x.dim() - 2))
    pool = {3: functional.avg_pool1d, 4: functional.avg_pool2d, 5: functional.avg_pool3d}[x.dim()]
    before, after = _ceil_tail(x, {**a, "strides": strides})
    stated = pads(a, x.dim() - 2)
    if not any((*before, *after)):
        y: Tensor = pool(x, kernel, strides)
        return y
    # what counts: the image and, with count_include_pad, the padding that was asked for
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device)
    ones = padded(ones, *stated, 1.0 if a.get("count_include_pad", 0) else 0.0)
    tail = [whole - part for whole, part in zip(after, stated[1], strict=True)]
    ones = padded(ones, [0] * len(tail), tail, 0.0)
    averages: Tensor = pool(padded(x, before, after, 0.0), kernel, strides) / pool(ones, kernel, strides)
    return averages


def lrn(a: Attributes, x: Tensor) -> Tensor:
    size = a["size"]
    squares = functional.pad((x * x).flatten(2).unsqueeze(1), (0, 0, (size - 1) // 2, size // 2))
    mean = functional.avg_pool2d(squares, (size, 1), 1).squeeze(1).reshape(x.shape)
    y: Tensor = x * (a.get("bias", 1.0) + a.get("alpha", 1e-4) * mean) ** -a.get("beta", 0.75)
    return y


def resize(
    a: Attributes, x: Tensor, roi: Any = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    """Nearest and linear, axis by axis, with ONNX's rules for where a pixel looks."""
    mode, rule = a.get("mode", "nearest"), a.get("coordinate_transformation_mode", "half_pixel")
    axes = list(a.get("axes", range(x.dim())))
    if sizes is not None and sizes.numel():
        goal = [int(n) for n in sizes.tolist()]
        ratios = [n / x.shape[axis] for n, axis in zip(goal, axes, strict=True)]
    else:
        ratios = [float(s) for s in ([] if scales is None else scales.tolist())]
        goal = [int(x.shape[axis] * s) for s, axis in zip(ratios, axes, strict=True)]
    for axis, n, ratio in zip(axes, goal, ratios, strict=True):
        if n != x.shape[axis] or ratio != 1:
            x = _along(x, axis, n, ratio, mode, rule, a.get("nearest_mode", "round_prefer_floor"))
    return x


def _along(x: Tensor, axis: int, n: int, ratio: float, mode: str, rule: str, rounding: str) -> Tensor:
    old = x.shape[axis]
    k = torch.arange(n, dtype=torch.float64)
    if rule == "align_corners":
        place = k * ((old - 1) / (n - 1)) if n > 1 else k * 0
    elif rule == "asymmetric":
        place = k / ratio
    else:
        place = (k + 0.5) / ratio - 0.5
        place = place * 0 if rule == "pytorch_half_pixel" and n == 1 else place
    if mode == "nearest":
        exact = {
            "floor": torch.floor(place),
            "ceil": torch.ceil(place),
            "round_prefer_ceil": torch.floor(place + 0.5),
        }.get(rounding, torch.ceil(place - 0.5))
        return x.index_select(axis, exact.clamp(0, old - 1).long())
    place = place.clamp(0, old - 1)
    first = place.floor().long()
    second = (first + 1).clamp(max=old - 1)
    t = (place - first).to(x.dtype).reshape([-1 if i == axis else 1 for i in range(x.dim())])
    return x.index_select(axis, first) * (1 - t) + x.index_select(axis, second) * t
