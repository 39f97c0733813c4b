"""Losses as operators of Caffe2: sums of everything, labels, and what a sum is divided by."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ..core import Op, Tensor, product
from ..core.dims import all_numbers
from ..shared.losses import LossParam
from .operators import cast


def total(op: Op, x: Tensor, rank: int) -> Tensor:
    """The sum of all numbers of x, a scalar."""
    return op("ReduceSum", x, axes=tuple(range(rank)), keepdims=0)


def count(op: Op, x: Tensor, axes: Sequence[int]) -> Tensor:
    """The product of the sizes of these axes, a float scalar."""
    sizes = [x.shape[i] for i in axes]
    if all_numbers(sizes):
        return op.const(product(sizes))
    number = op.ints(1)
    for i in axes:
        number = op("Mul", number, op.size(x, i))
    return op.reshape(cast(op, number, "float"))


def at_least_one(op: Op, x: Tensor) -> Tensor:
    return op("Clip", x, min=1.0, max=inf)


def alike(op: Op, *tensors: Tensor) -> tuple[list[Tensor], int]:
    """Tensors of equal counts, made vectors unless their shapes are equal, and their rank."""
    if all(t.shape == tensors[0].shape for t in tensors):
        return list(tensors), len(tensors[0].shape)
    return [op.reshape(t, -1) for t in tensors], 1


def items(op: Op, x: Tensor) -> Tensor:
    """x as a matrix: one row for each item."""
    return x if len(x.shape) == 2 else op.reshape(x, 0, -1, shape=(x.shape[0], product(x.shape[1:])))


def places(op: Op, x: Tensor, axis: int) -> Tensor:
    """x as a matrix: one row for each place, a column for each number along `axis`."""
    columns = op.size(x, axis)
    if not all(n == 1 for n in x.shape[axis + 1 :]):
        x = op("Transpose", x, axes=[*(i for i in range(len(x.shape)) if i != axis), axis])
    return op.reshape(x, -1, columns)


def labels(op: Op, x: Tensor) -> Tensor:
    """Labels as a vector of whole numbers."""
    return op.reshape(cast(op, x, "int64"), -1, shape=(product(x.shape),))


def pick(op: Op, rows: Tensor, index: Tensor, columns: Tensor) -> Tensor:
    """rows[i, index[i]], a vector; `columns` is how many columns there are."""
    start = op("Mul", op("Range", op.size(index, 0)), columns)
    return op("Gather", op.reshape(rows, -1), op("Add", index, start))


def keep_labels(op: Op, index: Tensor, ignored: int | None) -> tuple[Tensor, Tensor | None]:
    """The labels, those that do not count made 0 (they may be no class), and 1.0 for each that counts (None: all do)."""
    if ignored is None:
        return index, None
    counts = op("NE", index, op.const(ignored, "int64"), shape=index.shape)
    index = op("Mul", index, cast(op, counts, "int64"), shape=index.shape)
    return index, cast(op, counts, "float")


def divide(
    op: Op,
    loss: LossParam,
    sum_of: Tensor,
    counts: Tensor | None,
    x: Tensor,
    axis: int,
    end: int | None = None,
) -> Tensor:
    """`sum_of` / divisor, as LossParam.divisor has it. The labels stand along the axes of x before `axis` (outer) and from `end` on
    (inner; None: behind `axis`). `counts` is a vector."""
    if loss.normalization == "NONE":
        return sum_of
    outer, inner = range(axis), range(axis + 1 if end is None else end, len(x.shape))
    if loss.normalization == "VALID" and counts is not None:
        number = total(op, counts, 1)
    else:
        number = count(op, x, outer if loss.normalization == "BATCH_SIZE" else [*outer, *inner])
    return op("Div", sum_of, at_least_one(op, number))
