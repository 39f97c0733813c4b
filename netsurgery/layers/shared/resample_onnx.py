"""Resample as ONNX nodes: where new positions lie among the old ones, and how much each old one has in them."""

from __future__ import annotations

from ..core import Op, Tensor
from .emission import emit_line


def emit_positions(op: Op, new: Tensor, factor: Tensor, other: Tensor) -> Tensor:
    """i * factor + other / 2 - 0.5 for i from 0 to new - 1: where new positions lie, `other` being the factor of the other axis."""
    scaled = op("Mul", emit_line(op, new), factor)
    return op("Sub", op("Add", scaled, op("Mul", other, op.const(0.5))), op.const(0.5))


def emit_shares(op: Op, method: str, at: Tensor, size: Tensor, narrow: Tensor | None, axis: int) -> Tensor:
    """The share of each old position, along `axis`, in each new one: k(narrow * (at - old)) over the sum of these."""
    old = emit_line(op, size)
    at, old = (op.reshape(at, -1, 1), old) if axis == 1 else (at, op.reshape(old, -1, 1))
    d = op("Sub", at, old)
    d = op("Abs", op("Mul", d, narrow) if narrow is not None else d)
    k = op("Relu", op("Sub", op.const(1.0), d)) if method == "LINEAR" else _emit_cubic(op, d)
    total = op("ReduceSum", k, op.const([axis], "int64"), keepdims=1)
    # where the weights sum to 0 all of them are 0 or cancel: the top is 0
    return op("Where", op("Equal", total, op.const(0.0)), op.const(0.0), op("Div", k, total))


def _emit_cubic(op: Op, d: Tensor) -> Tensor:
    """Catmull-Rom's kernel at the distance d."""

    def polynomial(*coefficients: float) -> Tensor:
        value = op.const(coefficients[0])
        for c in coefficients[1:]:
            value = op("Mul", value, d)
            value = op("Add", value, op.const(c)) if c else value
        return value

    near, far = polynomial(1.5, -2.5, 0.0, 1.0), polynomial(-0.5, 2.5, -4.0, 2.0)
    far = op("Where", op("Less", d, op.const(2.0)), far, op.const(0.0))
    return op("Where", op("LessOrEqual", d, op.const(1.0)), near, far)
