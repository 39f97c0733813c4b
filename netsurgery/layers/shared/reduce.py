"""Reduce nodes, whose axes moved from an attribute to an input; sums of magnitudes and of squares in the operators that every runtime
reads alike (some take the axes of ReduceL1 and ReduceSumSquare wrongly)."""

from __future__ import annotations

from collections.abc import Sequence

from ..core import Op, Tensor


def reduce(op: Op, kind: str, x: Tensor, axes: Sequence[int], *, keep: bool = False) -> Tensor:
    """`kind` ("ReduceSum", "ReduceMax", ...) of x over `axes`, which stay with size 1 if `keep`."""
    if op.opset >= 18 or kind == "ReduceSum":
        return op(kind, x, op.const(list(axes), "int64"), keepdims=int(keep))
    return op(kind, x, axes=list(axes), keepdims=int(keep))


def magnitude(op: Op, x: Tensor, axes: Sequence[int] | None = None, *, power: int = 2, keep: bool = False) -> Tensor:
    """The sum of |x|^power, 1 or 2, over `axes` (None: all)."""
    x = op("Abs", x) if power == 1 else op("Mul", x, x)
    return op("ReduceSum", x, keepdims=int(keep)) if axes is None else reduce(op, "ReduceSum", x, axes, keep=keep)
