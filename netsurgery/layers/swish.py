"""Swish: x, gated by its own sigmoid."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled


class Swish(Elementwise):
    """y = x / (1 + exp(-beta x))

    Shapes: any.
    Source: swish_layer.cpp
    """

    types = ("Swish",)
    gives_features = True

    def read(self, p: Params) -> None:
        self.beta = p.message("swish_param").get_float("beta")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        half = x.dtype.type(0.5)
        return [x * (half * np.tanh(half * (x.dtype.type(self.beta) * x)) + half)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [op("Mul", x, op("Sigmoid", scaled(op, x, self.beta)))]
