"""Slice: a blob cut into several along an axis."""

from itertools import pairwise

import numpy as np

from .caffe2.operators import part
from .core import NOWHERE, Arrays, LayerType, Message, Op, Params, Reaches, ShapeError, Shapes, Size, Tensors


class Slice(LayerType):
    """top k = x from slice_point k-1 up to slice_point k along `axis` (1; in old files `slice_dim`); no points: equal parts.

    Shapes: as the bottom's but for the axis.
    Source: slice_layer.cpp
    """

    types = ("Slice",)
    gives_features = True
    scope = "channels"
    tops = (1, None)

    def read(self, p: Params) -> None:
        self.shares_memory = self.top_count == 1
        q = p.message("slice_param")
        legacy = q.has("slice_dim")
        if legacy and q.has("axis"):
            raise q.refuse("slice_dim", "both axis and slice_dim are set", expected="one of the two")
        self.along = q.get_int("slice_dim" if legacy else "axis")
        self.points = q.get_ints("slice_point")
        if self.points and len(self.points) != self.top_count - 1:
            raise q.refuse(
                "slice_point",
                f"{len(self.points)} slice points for {self.top_count} tops",
                expected=f"none, or {self.top_count - 1}",
            )
        if any(b <= a for a, b in pairwise((0, *self.points))):
            raise q.refuse(
                "slice_point", f"slice points {self.points}", expected="positive numbers, each greater than the last"
            )

    def _parts(self, size: Size) -> list[Size]:
        """The sizes of the tops along the axis."""
        if not self.points:
            return [size // self.top_count] * self.top_count
        return [b - a for a, b in pairwise((0, *self.points, size))]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        axis = self.axis(self.along, len(x))
        size = x[axis]
        if isinstance(size, int):
            expected = ""
            if self.points and size < max(self.points[-1], self.top_count):
                expected = f"at least {max(self.points[-1], self.top_count)}"
            elif not self.points and size % self.top_count:
                expected = f"a multiple of {self.top_count}, the number of tops"
            if expected:
                raise ShapeError(f"axis {axis}: {size}", layer=self, expected=expected)
        return [(*x[:axis], part, *x[axis + 1 :]) for part in self._parts(size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return np.split(bottoms[0], self.points or self.top_count, axis=self.along)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.top_count == 1:
            return [x]
        size = op.size(x, self.along)
        if self.points:
            *first, _ = self._parts(self.points[-1])
            sizes = op.ints(*first, op("Sub", size, op.ints(self.points[-1])))
        else:  # sizes that are spelled out make a runtime refuse what cannot be cut evenly, as Caffe does
            sizes = op.ints(*[op("Div", size, op.ints(self.top_count))] * self.top_count)
        return op.many(self.top_count, "Split", x, sizes, axis=self.along)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        rank, axis = len(x.shape), self.axis(self.along, len(x.shape))
        if self.top_count == 1:
            return [x]
        sizes = self._parts(x.shape[axis])
        if all(isinstance(n, int) for n in sizes):
            return op.many(self.top_count, "Split", x, axis=axis, split=tuple(sizes))
        if not self.points:
            return op.many(self.top_count, "Split", x, axis=axis)
        return [part(op, x, rank, axis, start, end) for start, end in pairwise((0, *self.points, -1))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return self.reach_but(bottoms, self.along, NOWHERE)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "slice_param", self.along, len(bottoms[0]))
