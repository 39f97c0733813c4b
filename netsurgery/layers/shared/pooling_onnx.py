"""Pooling as ONNX nodes: what Caffe's rounding up and its padding that counts are in MaxPool and AveragePool, at any size and opset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.dims import Size, ceil_div
from ..core.layer_type import Graph, Tensor
from .pools import LOWEST
from .windows import Windows


def emit_max(op: Graph, x: Tensor, at: Windows, out: Sequence[Size], *, round_up: bool) -> Tensor:
    """MaxPool. A window that lies behind the image gives the lowest number, as in Caffe."""
    if may_start_behind(x.shape[2:], at, round_up=round_up):
        whole, _ = _with_windows_behind(op, x, at, LOWEST)
        return op("MaxPool", whole, kernel_shape=at.kernel, strides=at.stride)
    # an output for the mask, even if nobody reads it, keeps runtimes from their fast ways
    return op("MaxPool", x, **_attributes(x.shape[2:], at, out, round_up=round_up))


def emit_max_and_mask(op: Graph, x: Tensor, at: Windows, out: Sequence[Size], *, round_up: bool) -> list[Tensor]:
    """MaxPool, and where each greatest value stands: Caffe counts within one channel, ONNX over the whole tensor."""
    y, index = op.many(2, "MaxPool", x, **_attributes(x.shape[2:], at, out, round_up=round_up))
    plane = op("Mul", op.size(x, 2), op.size(x, 3))
    return [y, op("Cast", op("Mod", index, plane), to=1)]


def emit_average(op: Graph, x: Tensor, at: Windows, out: Sequence[Size], *, round_up: bool) -> Tensor:
    """AveragePool; padding counts. A window that lies behind the image gives 0 / (end - start), the end being that of the image."""
    if may_start_behind(x.shape[2:], at, round_up=round_up):
        whole, spans = _with_windows_behind(op, x, at, 0.0)
        # Max changes nothing: older runtimes would merge Pad into the pool, and then refuse that much padding
        averages = op("AveragePool", op("Max", whole, op.const(LOWEST)), kernel_shape=at.kernel, strides=at.stride)
        counts = op("Mul", op("Unsqueeze", spans[0], op.ints(1)), spans[1])
        return op("Div", op("Mul", averages, op.const(float(at.kernel[0] * at.kernel[1]))), counts)
    attributes = _attributes(x.shape[2:], at, out, round_up=round_up)
    if attributes["ceil_mode"] and op.opset < 19:
        return _average_without_ceil_mode(op, x, at)
    return op("AveragePool", x, count_include_pad=1, **attributes)


def may_start_behind(sizes: Sequence[Size], at: Windows, *, round_up: bool) -> bool:
    """Whether a window may start behind the image: without padding Caffe keeps it, where ONNX drops it."""
    return (
        round_up
        and not any(at.pad)
        and any(
            s > k and not (isinstance(n, int) and -(-(n - k) // s) * s < n)
            for n, k, s in zip(sizes, at.kernel, at.stride, strict=True)
        )
    )


def _attributes(sizes: Sequence[Size], at: Windows, out: Sequence[Size], *, round_up: bool) -> dict[str, Any]:
    axes = list(zip(sizes, out, at.kernel, at.stride, at.pad, strict=True))
    ends = [_pad_behind(*axis) if round_up else axis[-1] for axis in axes]
    rounds = round_up and any(
        s > 1 and not (isinstance(n, int) and (n + p + end - k) % s == 0)
        for (n, _, k, s, p), end in zip(axes, ends, strict=True)
    )
    return {"kernel_shape": at.kernel, "strides": at.stride, "pads": (*at.pad, *ends), "ceil_mode": int(rounds)}


def _pad_behind(n: Size, out: Size, k: int, s: int, p: int) -> int:
    """The padding behind the image; where a last window is dropped, only as much as the others see: before opset 22 runtimes drop it
    as well, but expect its size, and refuse the layer that follows."""
    if not isinstance(n, int) or not isinstance(out, int) or out == ceil_div(n + 2 * p - k, s) + 1:
        return p
    return max(0, (out - 1) * s + k - n - p)


def _with_windows_behind(op: Graph, x: Tensor, at: Windows, value: float) -> tuple[Tensor, list[Tensor]]:
    """x (without padding) with `value` behind the image, up to the end of the last window; and how much of each window, from its start,
    the image holds: end - start along each axis, negative behind the image."""
    tails, spans = [], []
    for axis, k, s in zip((2, 3), at.kernel, at.stride, strict=True):
        n = op.size(x, axis)
        last = op("Mul", _divided_up(op, op("Sub", n, op.ints(k)), s), op.ints(s))
        tails.append(op("Sub", op("Add", last, op.ints(k)), n))
        end = op("Squeeze", op("Add", last, op.ints(1)))
        starts = op("Range", op.const(0, "int64"), end, op.const(s, "int64"))
        spans.append(op("Cast", op("Sub", op("Min", op("Add", starts, op.ints(k)), n), starts), to=1))
    return op("Pad", x, op.ints([0] * 6, *tails), op.const(value)), spans


def _average_without_ceil_mode(op: Graph, x: Tensor, at: Windows) -> Tensor:
    """Average of the image padded to whole windows / average of ones on the padded image and zeros behind it: before opset 19 runtimes
    differ on what `ceil_mode` divides by."""
    tails = []
    for axis, k, s, p in zip((2, 3), at.kernel, at.stride, at.pad, strict=True):
        n = op.size(x, axis)
        windows = op("Add", _divided_up(op, op("Add", n, op.ints(2 * p - k)), s), op.ints(1))
        if any(at.pad):
            windows = op("Min", windows, _divided_up(op, op("Add", n, op.ints(p)), s))
        tails.append(op("Sub", op("Add", op("Mul", op("Sub", windows, op.ints(1)), op.ints(s)), op.ints(k)), n))
    zero, over = op.const(0.0), [op.ints(2 * p) for p in at.pad]
    behind = [op("Sub", t, o) for t, o in zip(tails, over, strict=True)]
    if any(at.pad):  # the windows may end inside the padding behind
        over = [op("Min", t, o) for t, o in zip(tails, over, strict=True)]
        behind = [op("Max", b, op.ints(0)) for b in behind]
    ends = [op("Sub", t, op.ints(p)) for t, p in zip(tails, at.pad, strict=True)]
    image = op("Pad", x, op.ints(0, 0, at.pad, 0, 0, *ends), zero)
    sizes = [op("Add", op.size(x, axis), o) for axis, o in zip((2, 3), over, strict=True)]
    ones = op("Expand", op.const(1.0), op.ints(1, 1, *sizes))
    ones = op("Pad", ones, op.ints([0] * 6, *behind), zero)
    sums, counts = (op("AveragePool", t, kernel_shape=at.kernel, strides=at.stride) for t in (image, ones))
    return op("Div", sums, counts)


def _divided_up(op: Graph, a: Tensor, by: int) -> Tensor:
    """ceil(a / by) for a > -by."""
    return op("Div", op("Add", a, op.ints(by - 1)), op.ints(by))
