"""Mish: a smooth ReLU that dips below zero."""

import numpy as np

from .core import Arrays, Elementwise, Op, Tensors


class Mish(Elementwise):
    """y = x tanh(log(1 + exp(x)))

    Shapes: any.
    Source: mish_layer.cpp of foss-for-synopsys-dwc-arc-processors/synopsys-caffe
    """

    types = ("Mish",)
    note = "by formula"

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        softplus = op("Softplus", x if op.plain else op("Neg", op("Abs", x)))
        softplus = softplus if op.plain else op("Add", op("Relu", x), softplus)  # see BNLL
        return [op("Mul", x, op("Tanh", softplus))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        softplus = op("Add", op("Relu", x), op("Softplus", op("Negative", op("Abs", x))))
        return [op("Mul", x, op("Tanh", softplus))]
