"""What the emissions of many layers write, for ONNX and for Caffe2, or as ONNX nodes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..core import Op, Tensor


def scaled(op: Op, x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else op("Mul", x, op.const(factor), shape=x.shape)


def shifted(op: Op, x: Tensor, by: float) -> Tensor:
    return x if by == 0 else op("Add", x, op.const(by), shape=x.shape)


def with_four_axes(op: Op, x: Tensor) -> Tensor:
    """x with axes of size 1 behind its own, where it has less than four."""
    missing = 4 - len(x.shape)
    return op.reshape(x, [0] * len(x.shape), [1] * missing, shape=(*x.shape, *(1,) * missing)) if missing > 0 else x


def between(op: Op, one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """(1 - share) one + share other"""
    rest = op("Sub", op.const(1.0), share)
    return op("Add", op("Mul", one, rest), op("Mul", other, share))


def emit_range(op: Op, size: Tensor) -> Tensor:
    """0, 1, .. up to a size, which is an int64 vector of one number: int64."""
    return op("Range", op.const(0, "int64"), op("Squeeze", size), op.const(1, "int64"))


def emit_line(op: Op, size: Tensor) -> Tensor:
    """`emit_range` as float32."""
    return op("Cast", emit_range(op, size), to=1)


def pick(op: Op, mask: Tensor, *tensors: Tensor, axis: int = 0) -> list[Tensor]:
    """What each tensor holds along `axis` where `mask`, bool (K), is true: Compress, in the operators that more runtimes have."""
    places = op.reshape(op("NonZero", mask), -1)
    return [op("Gather", x, places, axis=axis) for x in tensors]


def reduce(op: Op, kind: str, x: Tensor, axes: Sequence[int], *, keep: bool = False) -> Tensor:
    """`kind` ("ReduceSum", "ReduceMax", ...) of x over `axes`, which stay with size 1 if `keep`. Axes that are not neighbours go one after
    the other: OpenCV 5 errs where they go together."""
    first = next((i for i, (a, b) in enumerate(pairwise(axes), 1) if b != a + 1), 0)
    if first:
        return reduce(op, kind, reduce(op, kind, x, axes[first:], keep=keep), axes[:first], keep=keep)
    if op.opset >= 18 or kind == "ReduceSum":
        return op(kind, x, op.const(list(axes), "int64"), keepdims=int(keep))
    return op(kind, x, axes=list(axes), keepdims=int(keep))


MOST_CLASSES = 256
"""Up to so many, their sum rounds no worse than the node's."""


def emit_softmax(op: Op, x: Tensor, axis: int) -> Tensor:
    """exp(x - max x) / sum exp(x - max x) along an axis: where others follow it, as in maps of classes, by this formula, which takes a
    third to a fourteenth of the node's time (tests/benchmarks/bench_layers.py)."""
    classes, places = x.shape[axis], x.shape[axis + 1 :] if axis != -1 else ()
    single, last = all(n == 1 for n in places), axis in (-1, len(x.shape) - 1)
    if classes == 2 and not op.plain and len(x.shape) > 2 and (last or (axis == 1 and not single)):
        return _emit_share_of_two(op, x, not last)
    if op.plain or single or not isinstance(classes, int) or classes > MOST_CLASSES:
        return op("Softmax", x, axis=axis)
    powers = op("Exp", op("Sub", x, reduce(op, "ReduceMax", x, [axis], keep=True)))
    return op("Div", powers, reduce(op, "ReduceSum", powers, [axis], keep=True))


def _emit_share_of_two(op: Op, x: Tensor, channels: bool) -> Tensor:
    """Softmax of two, along the channels or the last axis: 1 / (1 + exp(other - own)), the differences by a matrix product, which takes a
    half to a fifth of the time of what other numbers of classes get. No probability is so small that it loses its digits."""
    other = np.array([[-1, 1], [1, -1]], np.float32)
    away = op("MatMul", other, op.reshape(x, 0, 2, -1)) if channels else op("MatMul", x, other)
    y = op("Reciprocal", op("Add", op("Exp", away), op.const(1.0)))
    return op("Reshape", y, op("Shape", x)) if channels else y


def magnitude(op: Op, x: Tensor, axes: Sequence[int] | None = None, *, power: int = 2, keep: bool = False) -> Tensor:
    """The sum of |x|^power, 1 or 2, over `axes` (None: all), in operators that every runtime reads alike: some take the axes of
    ReduceL1 and ReduceSumSquare wrongly."""
    x = op("Abs", x) if power == 1 else op.square(x)
    return op("ReduceSum", x, keepdims=int(keep)) if axes is None else reduce(op, "ReduceSum", x, axes, keep=keep)
