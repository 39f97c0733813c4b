"""Transpose: axes in another order."""

from __future__ import annotations

from collections.abc import Sequence

from .caffe2.operators import Operators
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Transpose(LayerType):
    """Axis i of y is axis dim[i] of x.

    Shapes: (d0, d1, ..) -> (d_dim[0], d_dim[1], ..).
    Source: transpose_layer.cpp of senlinuc/caffe_ocr and tianzhi0549/CTPN
    """

    types = ("Transpose",)
    mixes = "moves the axes of a map"

    def read(self, p: Params) -> None:
        q = p.message("transpose_param")
        self.order = q.get_ints("dim")
        if sorted(self.order) != list(range(len(self.order))):
            raise q.refuse("dim", f"dim is {', '.join(map(str, self.order))}", expected="each axis once, from 0 on")

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        (x,) = bottoms
        self.rank(x, len(self.order))
        return [tuple(x[axis] for axis in self.order)]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        return [bottoms[0].transpose(self.order)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Transpose", bottoms[0], perm=self.order)]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Transpose", bottoms[0], axes=self.order)]
