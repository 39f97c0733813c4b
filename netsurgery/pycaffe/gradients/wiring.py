"""Gradients of layers that move, join and part numbers.

Source: BVLC/caffe src/caffe/layers/*_layer.cpp (Backward_cpu)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...kind import Kind
from ...layers.concat import Concat
from ...layers.crop import Crop
from ...layers.eltwise import Eltwise
from ...layers.reduction import Reduction
from ...layers.slice import Slice
from ...layers.tile import Tile
from ..slot import Slot
from .rule import Rule, of, past

if TYPE_CHECKING:
    from ..blob import Array


def identity(slot: Slot, kind: Kind) -> None:
    """dx = dy."""
    if slot.bottom_need[0] and not slot.in_place:
        slot.bottoms[0].write_diff(slot.tops[0].read_diff())


def split(slot: Slot, kind: Kind) -> None:
    """dx = sum of dy."""
    if slot.bottom_need[0]:
        total = slot.tops[0].read_diff().copy()
        for top in slot.tops[1:]:
            total += top.read_diff()
        slot.bottoms[0].write_diff(total)


def flatten(slot: Slot, kind: Kind) -> None:
    """The diffs of bottom and top are one memory from here on."""
    slot.bottoms[0].share_diff(slot.tops[0])


def reshape(slot: Slot, kind: Kind) -> None:
    """Nothing: the diffs are one memory since the shapes were set."""


def concat(slot: Slot, kind: Concat) -> None:
    if len(slot.bottoms) == 1:
        return
    dy = slot.tops[0].read_diff()
    axis = kind.along % dy.ndim
    begin = 0
    for need, bottom in zip(slot.bottom_need, slot.bottoms, strict=True):
        end = begin + bottom.sizes[axis]
        if need:
            bottom.write_diff(np.take(dy, range(begin, end), axis))
        begin = end


def slice_(slot: Slot, kind: Slice) -> None:
    if slot.bottom_need[0] and len(slot.tops) > 1:
        axis = kind.along % len(slot.bottoms[0].sizes)
        slot.bottoms[0].write_diff(np.concatenate([top.read_diff() for top in slot.tops], axis))


def eltwise(slot: Slot, kind: Eltwise) -> None:
    """SUM: dy times the coefficient; PROD: dy times the other bottoms; MAX: dy where the bottom was the one (of equal ones the last of
    the first two, else the first)."""
    dy = slot.tops[0].read_diff().copy()
    xs = [bottom.read_data() for bottom in slot.bottoms]
    largest = None
    for i, (need, bottom) in enumerate(zip(slot.bottom_need, slot.bottoms, strict=True)):
        if not need:
            continue
        if kind.operation == "SUM":
            bottom.write_diff(dy * np.float32(kind.coeff[i]))
        elif kind.operation == "PROD":
            others = [x for j, x in enumerate(xs) if j != i]
            bottom.write_diff(dy * reduce(np.multiply, others))
        else:
            largest = _largest([past(slot, j) for j in range(len(xs))]) if largest is None else largest
            bottom.write_diff(dy * (largest == i))


def _largest(xs: Sequence[Array]) -> NDArray[np.intp]:
    place = np.where(xs[0] > xs[1], 0, 1)
    best = np.where(xs[0] > xs[1], xs[0], xs[1])
    for i, x in enumerate(xs[2:], 2):
        place = np.where(x > best, i, place)
        best = np.maximum(best, x)
    return place


def silence(slot: Slot, kind: Kind) -> None:
    """dx = 0."""
    for need, bottom in zip(slot.bottom_need, slot.bottoms, strict=True):
        if need:
            bottom.write_diff(0.0)


def filter_(slot: Slot, kind: Kind) -> None:
    """dy where the item was let through, 0 elsewhere."""
    passes = past(slot, len(slot.bottoms) - 1).reshape(-1) != 0
    for need, bottom, top in zip(slot.bottom_need, slot.bottoms, slot.tops, strict=False):
        if need:
            dx = np.zeros(bottom.sizes, np.float32)
            if passes.any():
                dx[passes] = top.read_diff()
            bottom.write_diff(dx)


def batch_reindex(slot: Slot, kind: Kind) -> None:
    """Each item's dx is the sum of the dy of the items that it became."""
    if slot.bottom_need[0]:
        dx = np.zeros(slot.bottoms[0].sizes, np.float32)
        np.add.at(dx, slot.bottoms[1].read_data().astype(np.int64).reshape(-1), slot.tops[0].read_diff())
        slot.bottoms[0].write_diff(dx)


def tile(slot: Slot, kind: Tile) -> None:
    if slot.bottom_need[0]:
        shape = slot.bottoms[0].sizes
        axis = kind.along % len(shape)
        dy = slot.tops[0].read_diff().reshape(*shape[:axis], -1, *shape[axis:])
        slot.bottoms[0].write_diff(dy.sum(axis))


def crop(slot: Slot, kind: Crop) -> None:
    """dy at its place, 0 around it."""
    if not slot.bottom_need[0]:
        return
    dy, rank = slot.tops[0].read_diff(), len(slot.bottoms[0].sizes)
    axis = kind.from_axis % rank
    offsets = list(kind.offset) or [0]
    offsets = offsets * (rank - axis) if len(offsets) == 1 else offsets
    dx = np.zeros(slot.bottoms[0].sizes, np.float32)
    places = [slice(None)] * axis
    places += [slice(o, o + n) for o, n in zip(offsets, dy.shape[axis:], strict=True)]
    dx[tuple(places)] = dy
    slot.bottoms[0].write_diff(dx)


def reduction(slot: Slot, kind: Reduction) -> None:
    """dy times the coefficient (MEAN: over the count), for ASUM times the sign of x, for SUMSQ times 2 x."""
    if not slot.bottom_need[0]:
        return
    x, dy = slot.bottoms[0].read_data(), slot.tops[0].read_diff()
    axis = kind.from_axis % max(x.ndim, 1)
    count = int(np.prod(x.shape[axis:]))
    k = np.float32(kind.coeff / (count if kind.operation == "MEAN" else 1))
    rows = (dy.reshape(-1, 1) * k) * np.ones((1, count), np.float32)
    flat = x.reshape(-1, count)
    factor = {"ASUM": np.sign(flat), "SUMSQ": 2 * flat}.get(kind.operation, np.float32(1))
    slot.bottoms[0].write_diff((rows * factor).reshape(x.shape))


def pooling(slot: Slot, kind: Kind) -> None:
    """With a mask as second top each dy goes to the place of its channel that the mask names; else where the forward found it."""
    if len(slot.tops) == 1:
        from . import by_torch

        by_torch.differentiate(slot)
        return
    if slot.bottom_need[0]:
        n, c, *_ = slot.bottoms[0].sizes
        dx = np.zeros((n * c, slot.bottoms[0].count // (n * c)), np.float32)
        dy, mask = slot.tops[0].read_diff(), slot.tops[1].read_data().astype(np.int64)
        np.add.at(dx, (np.arange(n * c)[:, None], mask.reshape(n * c, -1)), dy.reshape(n * c, -1))
        slot.bottoms[0].write_diff(dx.reshape(slot.bottoms[0].sizes))


RULES: dict[str, Rule] = {
    "BatchReindex": batch_reindex,
    "Concat": of(Concat, concat),
    "Crop": of(Crop, crop),
    "Dropout": identity,
    "Eltwise": of(Eltwise, eltwise),
    "Filter": filter_,
    "Flatten": flatten,
    "Pooling": pooling,
    "Reduction": of(Reduction, reduction),
    "Reshape": reshape,
    "Silence": silence,
    "Slice": of(Slice, slice_),
    "Split": split,
    "Tile": of(Tile, tile),
}
