"""Pooling as ONNX nodes: what Caffe's rounding up and its padding that counts are in MaxPool and AveragePool, at any size and opset."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..core import LayerType, Op, Size, Tensor, UnsupportedError, ceil_div
from .emission import reduce
from .pool_windows import PoolWindows
from .pools import LOWEST


def emit_max(op: Op, x: Tensor, pools: PoolWindows, out: Sequence[Size], layer: LayerType) -> list[Tensor]:
    """MaxPool, and a mask if the layer has two tops: where each greatest value stands. Caffe counts within one channel, ONNX over the
    whole tensor. A window that lies behind the image gives the lowest number, as in Caffe."""
    at, mask = pools.at, layer.top_count > 1
    if may_start_behind(x.shape[2:], pools):
        if mask or any(at.pad):
            raise _behind(layer, pools, "a mask" if mask else "padding")
        whole, _ = _with_windows_behind(op, x, pools, LOWEST)
        return [op("MaxPool", whole, kernel_shape=at.kernel, strides=at.stride, **_dilations(pools))]
    attributes = _attributes(x.shape[2:], pools, out) | _dilations(pools)
    if not mask and attributes["ceil_mode"] and _may_drop(pools):
        x = _padded(op, x, pools, LOWEST)
        attributes["pads"] = (0,) * len(attributes["pads"])
    # an output for the mask, even if nobody reads it, keeps runtimes from their fast ways
    if not mask:
        return [op("MaxPool", x, **attributes)]
    y, index = op.many(2, "MaxPool", x, **attributes)
    plane = op.size(x, 2)
    for axis in range(3, len(x.shape)):
        plane = op("Mul", plane, op.size(x, axis))
    places = op("Cast", op("Mod", index, plane), to=1)
    places.distinct = all(d * (k - 1) < s for k, s, d in zip(at.kernel, at.stride, at.dilation, strict=True))
    return [y, places]


def emit_global_max(op: Op, x: Tensor) -> list[Tensor]:
    """The greatest value of each channel, and where it stands: ReduceMax, which more runtimes have than GlobalMaxPool."""
    rank = len(x.shape)
    index = op("ArgMax", op.reshape(x, 0, 0, -1, *[1] * (rank - 3)), axis=2, keepdims=1)
    return [reduce(op, "ReduceMax", x, range(2, rank), keep=True), op("Cast", index, to=1)]


def emit_average(
    op: Op, x: Tensor, pools: PoolWindows, out: Sequence[Size], layer: LayerType, counts_pad: bool = True
) -> Tensor:
    """AveragePool; padding counts, unless it does not. A window that lies behind the image gives 0 / (end - start), the end being that of
    the image."""
    at = pools.at
    if may_start_behind(x.shape[2:], pools):
        if any(at.pad):
            raise _behind(layer, pools, "padding")
        whole, spans = _with_windows_behind(op, x, pools, 0.0)
        # Max changes nothing: older runtimes would merge Pad into the pool, and then refuse that much padding
        averages = op("AveragePool", op("Max", whole, op.const(LOWEST)), kernel_shape=at.kernel, strides=at.stride)
        counts = spans[0]
        for span in spans[1:]:
            counts = op("Mul", op("Unsqueeze", counts, op.ints(-1)), span)
        return op("Div", op("Mul", averages, op.const(float(prod(at.kernel)))), counts)
    attributes = _attributes(x.shape[2:], pools, out)
    if not counts_pad:
        return op("AveragePool", x, count_include_pad=0, **attributes)
    before, behind = attributes["pads"][: len(at.pad)], attributes["pads"][len(at.pad) :]
    if not attributes["ceil_mode"] and before == behind:
        return op("AveragePool", x, count_include_pad=1, **attributes)
    # Padding of its own: every runtime divides alike, and onnxruntime 3 times as fast (tests/benchmarks/bench_layers.py)
    if _may_drop(pools):
        x = _padded(op, x, pools, 0.0)
    elif any(at.pad):
        x = op("Pad", x, op.ints(0, 0, at.pad, 0, 0, at.pad))
    plain = attributes | {"pads": (0,) * (2 * len(at.pad))}
    return op("AveragePool", x, count_include_pad=0, **plain)


def may_start_behind(sizes: Sequence[Size], pools: PoolWindows) -> bool:
    """Whether a window may start behind the image: where no last window is left out Caffe keeps it, where ONNX drops it."""
    at = pools.at
    return pools.round_up and any(
        not drops and s > e and not (isinstance(n, int) and -(-(n - e) // s) * s < n)
        for n, e, s, drops in zip(sizes, at.extent, at.stride, pools.drops, strict=True)
    )


def _behind(layer: LayerType, pools: PoolWindows, what: str) -> UnsupportedError:
    at = pools.at
    return UnsupportedError(
        f"{what} with stride {at.stride} greater than kernel {at.kernel}: a window may start behind the image",
        layer=layer,
        expected="windows that start inside the image",
        fix="fix the input sizes (--static) where all do",
    )


def _dilations(pools: PoolWindows) -> dict[str, Any]:
    return {"dilations": pools.at.dilation} if max(pools.at.dilation) > 1 else {}


def _attributes(sizes: Sequence[Size], pools: PoolWindows, out: Sequence[Size]) -> dict[str, Any]:
    at, round_up = pools.at, pools.round_up
    axes = list(zip(sizes, out, at.extent, at.stride, at.pad, strict=True))
    ends = [_pad_behind(*axis) if round_up else end for axis, end in zip(axes, at.ends, strict=True)]
    rounds = round_up and any(
        s > 1 and not (isinstance(n, int) and (n + p + end - e) % s == 0)
        for (n, _, e, s, p), end in zip(axes, ends, strict=True)
    )
    return {"kernel_shape": at.kernel, "strides": at.stride, "pads": (*at.pad, *ends), "ceil_mode": int(rounds)}


def _pad_behind(n: Size, out: Size, k: int, s: int, p: int) -> int:
    """The padding behind the image; where a last window is dropped, only as much as the others see: before opset 22 runtimes drop it
    as well, but expect its size, and refuse the layer that follows."""
    if not isinstance(n, int) or not isinstance(out, int) or out == ceil_div(n + 2 * p - k, s) + 1:
        return p
    return max(0, (out - 1) * s + k - n - p)


def _with_windows_behind(op: Op, x: Tensor, pools: PoolWindows, value: float) -> tuple[Tensor, list[Tensor]]:
    """x (without padding) with `value` behind the image, up to the end of the last window; and how much of each window, from its start,
    the image holds: end - start along each axis, negative behind the image."""
    tails, spans, at = [], [], pools.at
    for axis, (e, s) in enumerate(zip(at.extent, at.stride, strict=True), 2):
        n = op.size(x, axis)
        last = op("Mul", _divided_up(op, op("Sub", n, op.ints(e)), s), op.ints(s))
        tails.append(op("Sub", op("Add", last, op.ints(e)), n))
        end = op("Squeeze", op("Add", last, op.ints(1)))
        starts = op("Range", op.const(0, "int64"), end, op.const(s, "int64"))
        spans.append(op("Cast", op("Sub", op("Min", op("Add", starts, op.ints(e)), n), starts), to=1))
    return op("Pad", x, op.ints([0] * (4 + len(tails)), *tails), op.const(value)), spans


def _may_drop(pools: PoolWindows) -> bool:
    """Whether a last window may start in the padding behind the image, where Caffe leaves it out."""
    at = pools.at
    return any(p > e - s for e, s, p in zip(at.extent, at.stride, at.pad, strict=True) if p)


def _padded(op: Op, x: Tensor, pools: PoolWindows, value: float) -> Tensor:
    """x with padding of its own, behind the image no more than up to the end of the last window that starts in the image: runtimes differ
    on whether they drop the one behind it."""
    at, ends = pools.at, []
    for axis, (e, s, p) in enumerate(zip(at.extent, at.stride, at.pad, strict=True), 2):
        n = op.size(x, axis)
        last = op("Sub", op("Mul", _divided_up(op, op("Add", n, op.ints(p)), s), op.ints(s)), op.ints(s + p))
        ends.append(op("Min", op("Sub", op("Add", last, op.ints(e)), n), op.ints(p)))
    return op("Pad", x, op.ints(0, 0, at.pad, 0, 0, *ends), op.const(value))


def _divided_up(op: Op, a: Tensor, by: int) -> Tensor:
    """ceil(a / by) for a > -by."""
    return op("Div", op("Add", a, op.ints(by - 1)), op.ints(by))
