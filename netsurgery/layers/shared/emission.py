"""What the emissions of many layers write, for ONNX and for Caffe2, or as ONNX nodes."""

from __future__ import annotations

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
