"""Concat: the bottoms one behind the other along an axis."""

import numpy as np

from .core import NOWHERE, Arrays, LayerType, Message, Op, Params, Reaches, ShapeError, Shapes, Tensors


class Concat(LayerType):
    """y = x1, x2, ... along `axis` (1; `concat_dim` in old files).

    Shapes: equal but for the axis, whose sizes add up.
    Source: concat_layer.cpp
    """

    types = ("Concat",)
    gives_features = True
    joins = True
    scope = "channels"
    bottoms = (1, None)

    def read(self, p: Params) -> None:
        self.shares_memory = self.bottom_count == 1
        q = p.message("concat_param")
        legacy = q.has("concat_dim")
        if legacy and q.has("axis"):
            raise q.refuse("concat_dim", "both axis and concat_dim are set", expected="one of the two")
        self.along = q.get_int("concat_dim" if legacy else "axis")

    def shapes(self, bottoms: Shapes) -> Shapes:
        first, *others = bottoms
        axis = self.axis(self.along, len(first))
        total = first[axis]
        for x in others:
            if len(x) != len(first):
                raise ShapeError(
                    f"a bottom has {len(x)} axes", layer=self, expected=f"{len(first)} axes, as the first bottom has"
                )
            self.require_alike(x, (*first[:axis], x[axis], *first[axis + 1 :]), "a bottom")
            total = total + x[axis]
        return [(*first[:axis], total, *first[axis + 1 :])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.concatenate(bottoms, axis=self.axis(self.along, len(bottoms[0].shape)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        if len(bottoms) == 1:
            return [bottoms[0]]
        return [op("Concat", *bottoms, axis=self.axis(self.along, len(bottoms[0].shape)))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return self.reach_but(bottoms, self.along, NOWHERE)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "concat_param", self.along, len(bottoms[0]))
