"""Permute: axes in another order."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Tensors


class Permute(LayerType):
    """Axis i of y is axis order[i] of x; axes that `order` leaves out follow in their own order.

    Shapes: (d0, d1, ..) -> (d_order[0], d_order[1], ..).
    Source: permute_layer.cpp (SSD)
    """

    types = ("Permute",)
    gives_features = True
    mixes = "moves the axes of a map"

    def read(self, p: Params) -> None:
        q = p.message("permute_param")
        self.order = q.get_ints("order")
        if len(set(self.order)) != len(self.order):
            raise q.refuse("order", f"an axis comes twice: {self.order}", expected="each axis once")

    def _order(self, rank: int) -> list[int]:
        if any(axis >= rank for axis in self.order):
            raise ShapeError(
                f"order {self.order} of a blob with {rank} axes", layer=self, expected=f"axes up to {rank - 1}"
            )
        return [*self.order, *(i for i in range(rank) if i not in self.order)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        return [tuple(x[i] for i in self._order(len(x)))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.ascontiguousarray(x.transpose(self._order(x.ndim)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        order = self._order(len(x.shape))
        return [x] if order == sorted(order) else [op("Transpose", x, perm=order)]
