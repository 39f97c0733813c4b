"""What loss layers share: a scalar top that the file may leave out, labels, and what the sum is divided by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import NetsurgeryError
from ..core import Array, LayerType, Op, Params, Reaches, Shape, ShapeError, Shapes, Size, Tensor, product, show
from ..core.dims import all_numbers

SMALLEST_PROBABILITY = 1e-20
"""What Caffe raises probabilities to before it takes their logarithm (kLOG_THRESHOLD)."""


class Loss(LayerType):
    """A layer whose first top is one number. Caffe makes the top itself where the file names none.

    Source: loss_layer.cpp
    """

    bottoms = (2, 2)
    tops = (0, 1)
    has_labels = True
    training_only = True

    def reach(self, bottoms: Shapes) -> Reaches:
        return [()] * len(bottoms)  # one number for the whole batch

    def same_items(self, bottoms: Shapes) -> None:
        """Raises: ShapeError unless the first two bottoms have first axes of one size."""
        for i, shape in enumerate(bottoms[:2]):
            if not shape:
                raise ShapeError(f"bottom {i} has no axes", layer=self, expected="a first axis: the items")
        self.require(bottoms[1][0], bottoms[0][0], "items (first axis) of bottom 1, those of bottom 0 being expected")

    def four(self, shape: Shape, blob: str) -> tuple[Size, Size, Size, Size]:
        """num, channels, height and width of a blob of up to four axes, as Caffe's older layers see it: 1 if absent."""
        if len(shape) > 4:
            raise ShapeError(
                f"{blob} has {len(shape)} axes: ({', '.join(map(show, shape))})", layer=self, expected="at most 4 axes"
            )
        n, c, h, w = (*shape, 1, 1, 1, 1)[:4]
        return n, c, h, w

    def classes(self, labels: Array, classes: int) -> NDArray[np.int64]:
        """Labels as class indices, cut to whole numbers.

        Raises: NetsurgeryError for one that is no class, with which Caffe reads memory of something else.
        """
        index = labels.astype(np.int64)
        if index.size and (index.min() < 0 or index.max() >= classes):
            worst = index.min() if index.min() < 0 else index.max()
            raise NetsurgeryError(f"label {worst}", layer=self, expected=f"0 to {classes - 1}: the classes")
        return index


@dataclass(frozen=True)
class LossParam:
    """loss_param: what the sum is divided by (never by less than 1), and the label that does not count."""

    normalization: str
    ignore_label: int | None

    @staticmethod
    def read(q: Params, default: str) -> LossParam:
        normalization = default
        if q.has("normalize"):  # the older spelling; the newer one wins
            normalization = "VALID" if q.get_bool("normalize") else "BATCH_SIZE"
        if q.has("normalization"):
            normalization = q.get_str("normalization")
        if normalization not in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
            raise q.refuse(
                "normalization", f"normalization is {normalization}", expected="FULL, VALID, BATCH_SIZE or NONE"
            )
        return LossParam(normalization, q.get_int("ignore_label") if q.has("ignore_label") else None)

    def divisor(self, outer: int, inner: int, valid: int) -> int:
        """max(1, ..) of: outer * inner, the labels that count, outer, or 1."""
        return max(1, {"FULL": outer * inner, "VALID": valid, "BATCH_SIZE": outer, "NONE": 1}[self.normalization])

    def emit_division(
        self, op: Op, total: Tensor, counts: Tensor | None, x: Tensor, axis: int, end: int | None = None
    ) -> Tensor:
        """total / divisor; `counts` is 1 where a label counts and 0 elsewhere (None: all do).

        The labels stand along the axes of x before `axis` (outer) and from `end` on (inner; None: behind `axis`).
        """
        if self.normalization == "NONE":
            return total
        rank = len(x.shape)
        outer, inner = range(axis), range(axis + 1 if end is None else end, rank)
        if self.normalization == "VALID" and counts is not None:
            number = op("ReduceSum", counts, keepdims=0)
        else:
            number = emit_count(op, x, outer if self.normalization == "BATCH_SIZE" else [*outer, *inner])
        return emit_mean(op, total, op("Max", number, op.const(1.0)))


def emit_mean(op: Op, total: Tensor, number: Tensor) -> Tensor:
    """total / number. MNN divides by a size as it was when the model was read, but multiplies by the one that it has."""
    return op("Div", total, number) if number.value is not None else op("Mul", total, op("Reciprocal", number))


def emit_count(op: Op, x: Tensor, axes: Sequence[int]) -> Tensor:
    """The product of the sizes of these axes as a float32 scalar: a constant where they are known."""
    sizes = [x.shape[i] for i in axes]
    if all_numbers(sizes):
        return op.const(product(sizes))
    return op("Cast", op("ReduceProd", op.ints(*(op.size(x, i) for i in axes)), keepdims=0), to=1)


def emit_labels(op: Op, label: Tensor, x: Tensor, axis: int) -> Tensor:
    """Labels as int64 class indices in the shape of x, with size 1 along `axis`."""
    index = op("Cast", label, to=7)
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    if label.shape == shape:
        return index
    if label.shape == (*x.shape[:axis], *x.shape[axis + 1 :]):
        return op("Unsqueeze", index, op.ints(axis))
    free = [i for i, n in enumerate(shape) if not isinstance(n, int)]
    parts = [n if isinstance(n, int) else -1 if free == [i] else op.size(x, i) for i, n in enumerate(shape)]
    return op.reshape(index, *parts)


def emit_alike(op: Op, *tensors: Tensor) -> list[Tensor]:
    """Tensors of equal counts, made vectors unless their shapes are equal."""
    if all(t.shape == tensors[0].shape for t in tensors):
        return list(tensors)
    return [op.reshape(t, -1) for t in tensors]


def emit_rows(op: Op, x: Tensor) -> Tensor:
    """x as a matrix: one row per item."""
    return x if len(x.shape) == 2 else op("Flatten", x, axis=1, shape=(x.shape[0], product(x.shape[1:])))
