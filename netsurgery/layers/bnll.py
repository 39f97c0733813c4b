"""BNLL: a smooth ReLU (binomial normal log likelihood)."""

import numpy as np

from .core import Arrays, Elementwise, Op, Tensors


class BNLL(Elementwise):
    """y = log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|)).

    Shapes: any.
    Source: bnll_layer.cpp
    """

    types = ("BNLL",)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if op.plain:
            return [op("Softplus", x)]
        # runtimes whose Softplus is log(1 + exp(x)) overflow (OpenCV 5)
        rest = op("Softplus", op("Neg", op("Abs", x)))
        return [op("Add", op("Relu", x), rest)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms  # log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which does not overflow
        return [op("Add", op("Relu", x), op("Softplus", op("Negative", op("Abs", x))))]
