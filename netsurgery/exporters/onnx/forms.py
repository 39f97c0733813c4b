"""Other nodes for what a runtime computes wrongly as it stands; elsewhere they would only cost. `targets` says which runtime has which."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce as reduce_pairs

import numpy as np

from ...layers.core import Op, Tensor
from ...layers.shared.emission import reduce

Form = Callable[..., Tensor]
"""The output of a node: from the builder, the node's inputs, and its attributes by name."""


def less_greatest(op: Op, x: Tensor, *, axis: int) -> Tensor:
    """Softmax(x) as Softmax(x - max x), for what overflows from 88 on."""
    return op("Softmax", op("Sub", x, reduce(op, "ReduceMax", x, [axis], keep=True)), axis=axis)


def by_pairs(type: str) -> Form:
    """A node of two inputs after the other, for what reads two of more."""
    return lambda op, *inputs: reduce_pairs(lambda a, b: op(type, a, b), inputs)


def with_words(op: Op, x: Tensor, pads: Tensor, number: Tensor | None = None, *, mode: str = "constant") -> Tensor:
    """Pad that says what is usual, for what reads no other."""
    return op("Pad", x, pads, op.const(0.0) if number is None and mode == "constant" else number, mode=mode)


def by_rank(
    op: Op,
    boxes: Tensor,
    scores: Tensor,
    most: Tensor,
    overlap: Tensor,
    threshold: Tensor | None = None,
    *,
    center_point_box: int | None = None,
) -> Tensor:
    """NonMaxSuppression of boxes (N, P, 4) with scores (N, C, P), which become their ranks from behind, 1 to P, or 0 where they do not
    pass the threshold: for what drops scores that are not above 0."""
    if threshold is not None and threshold.value is not None and np.all(threshold.value >= 0):
        return op("NonMaxSuppression", boxes, scores, most, overlap, threshold, center_point_box=center_point_box)
    count = op.size(scores, 2)
    _, order = op.many(2, "TopK", scores, count, axis=2)
    _, rank = op.many(2, "TopK", op("Cast", order, to=1), count, axis=2, largest=0)
    ranks = op("Cast", op("Sub", count, rank), to=1)
    if threshold is not None:
        ranks = op("Mul", ranks, op("Cast", op("Greater", scores, threshold), to=1))
    return op("NonMaxSuppression", boxes, ranks, most, overlap, op.const([0.0]), center_point_box=center_point_box)
