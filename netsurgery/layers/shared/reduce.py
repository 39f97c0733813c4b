"""Reduce nodes, whose axes moved from an attribute to an input."""

from __future__ import annotations

from collections.abc import Sequence

from ..core import Op, Tensor


def reduce(op: Op, kind: str, x: Tensor, axes: Sequence[int], *, keep: bool = False) -> Tensor:
    """`kind` ("ReduceSum", "ReduceMax", ...) of x over `axes`, which stay with size 1 if `keep`."""
    if op.opset >= 18 or kind == "ReduceSum":
        return op(kind, x, op.const(list(axes), "int64"), keepdims=int(keep))
    return op(kind, x, axes=list(axes), keepdims=int(keep))
