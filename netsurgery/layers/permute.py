"""Permute: axes in another order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from .caffe2.operators import Operators
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Permute(LayerType):
    """Axis i of y is axis order[i] of x; axes that `order` leaves out follow in their own order.

    Shapes: (d0, d1, ..) -> (d_order[0], d_order[1], ..).
    Source: permute_layer.cpp (SSD)
    """

    types = ("Permute",)
    mixes = "moves the axes of a map"

    def read(self, p: Params) -> None:
        q = p.message("permute_param")
        self.order = q.get_ints("order")
        if len(set(self.order)) != len(self.order):
            raise q.refuse("order", f"an axis comes twice: {self.order}", expected="each axis once")

    def _order(self, rank: int) -> list[int]:
        if any(axis >= rank for axis in self.order):
            raise ShapeError(
                f"order {self.order} of a blob with {rank} axes",
                layer=self.title,
                source=self.source,
                expected=f"axes up to {rank - 1}",
            )
        return [*self.order, *(i for i in range(rank) if i not in self.order)]

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        (x,) = bottoms
        return [tuple(x[i] for i in self._order(len(x)))]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [np.ascontiguousarray(x.transpose(self._order(x.ndim)))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        order = self._order(len(x.shape))
        return [x] if order == sorted(order) else [op("Transpose", x, perm=order)]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        order = self._order(len(x.shape))
        return [x] if order == sorted(order) else [op("Transpose", x, axes=order)]
