"""Sigmoid: squeezes into (0, 1)."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors


class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x)), computed as tanh(x / 2) / 2 + 1/2.

    Shapes: any.
    Source: sigmoid_layer.cpp
    """

    types = ("Sigmoid",)
    gives_features = True

    def read(self, p: Params) -> None:
        p.message("sigmoid_param")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        half = bottoms[0].dtype.type(0.5)
        return [half * np.tanh(half * bottoms[0]) + half]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Sigmoid", bottoms[0])]
