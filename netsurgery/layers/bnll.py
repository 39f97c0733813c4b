"""BNLL: a smooth ReLU (binomial normal log likelihood)."""

from __future__ import annotations

import numpy as np

from .core import Arrays, LayerType, Op, Tensors


class BNLL(LayerType):
    """y = log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|)).

    Shapes: any.
    Source: bnll_layer.cpp
    """

    types = ("BNLL",)
    in_place = True
    scope = "number"

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Softplus", bottoms[0])]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms  # log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which does not overflow
        return [op("Add", op("Relu", x), op("Softplus", op("Negative", op("Abs", x))))]
