"""Swish: x, gated by its own sigmoid."""

from __future__ import annotations

import numpy as np

from .caffe2.operators import scaled
from .core import Arrays, LayerType, Op, Params, Tensors


class Swish(LayerType):
    """y = x / (1 + exp(-beta x))

    Shapes: any.
    Source: swish_layer.cpp
    """

    types = ("Swish",)
    gives_features = True
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        self.beta = p.message("swish_param").get_float("beta")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        half = x.dtype.type(0.5)
        return [x * (half * np.tanh(half * (x.dtype.type(self.beta) * x)) + half)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        gate = x if self.beta == 1 else op("Mul", x, op.const(self.beta))
        return [op("Mul", x, op("Sigmoid", gate))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [op("Mul", x, op("Sigmoid", scaled(op, x, self.beta)))]
