"""Reduce nodes, whose axes moved from an attribute to an input; sums of magnitudes and of squares in the operators that every runtime
reads alike (some take the axes of ReduceL1 and ReduceSumSquare wrongly)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ..core import Op, Tensor


def reduce(op: Op, kind: str, x: Tensor, axes: Sequence[int], *, keep: bool = False) -> Tensor:
    """`kind` ("ReduceSum", "ReduceMax", ...) of x over `axes`, which stay with size 1 if `keep`. Axes that are not neighbours go one after
    the other: OpenCV 5 errs where they go together."""
    first = next((i for i, (a, b) in enumerate(pairwise(axes), 1) if b != a + 1), 0)
    if first:
        return reduce(op, kind, reduce(op, kind, x, axes[first:], keep=keep), axes[:first], keep=keep)
    if op.opset >= 18 or kind == "ReduceSum":
        return op(kind, x, op.const(list(axes), "int64"), keepdims=int(keep))
    return op(kind, x, axes=list(axes), keepdims=int(keep))


def magnitude(op: Op, x: Tensor, axes: Sequence[int] | None = None, *, power: int = 2, keep: bool = False) -> Tensor:
    """The sum of |x|^power, 1 or 2, over `axes` (None: all)."""
    x = op("Abs", x) if power == 1 else op.square(x)
    return op("ReduceSum", x, keepdims=int(keep)) if axes is None else reduce(op, "ReduceSum", x, axes, keep=keep)
