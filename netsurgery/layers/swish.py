"""Swish: x, gated by its own sigmoid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators, scaled
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Swish(LayerType):
    """y = x / (1 + exp(-beta x))

    Shapes: any.
    Source: swish_layer.cpp
    """

    types = ("Swish",)
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        self.beta = p.message("swish_param").get_float("beta")

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        half = x.dtype.type(0.5)
        return [x * (half * np.tanh(half * (x.dtype.type(self.beta) * x)) + half)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        gate = x if self.beta == 1 else op("Mul", x, op.const(self.beta))
        return [op("Mul", x, op("Sigmoid", gate))]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        return [op("Mul", x, op("Sigmoid", scaled(op, x, self.beta)))]
