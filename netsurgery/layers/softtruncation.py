"""SoftTruncation: what an exponential leaves of 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators, scaled, shifted
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class SoftTruncation(LayerType):
    """y = 1 - exp(-x / c)

    Shapes: any.
    Source: soft_truncation_layer.cpp of happynear/caffe-windows
    """

    types = ("SoftTruncation",)
    in_place = True
    scope = "number"
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("soft_truncation_param")
        c = q.get_float("c")
        if c == 0:
            raise q.refuse("c", "c is 0", expected="another number")
        self.inner = -1 / c

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [-np.expm1(x * x.dtype.type(self.inner))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Sub", op.const(1.0), op("Exp", op("Mul", bottoms[0], op.const(self.inner))))]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [shifted(op, op("Negative", op("Exp", scaled(op, bottoms[0], self.inner))), 1.0)]
