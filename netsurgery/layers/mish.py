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
        if op.plain:
            return [op("Mul", x, op("Tanh", op("Softplus", x)))]
        # by measurement Softplus takes ten times as long: tanh(log(1 + e)) = n / (n + 2), n = e (e + 2), which is 1 from x = 20 on
        e = op("Exp", op("Min", x, op.const(20.0)))
        n = op("Mul", e, op("Add", e, op.const(2.0)))
        return [op("Mul", x, op("Div", n, op("Add", n, op.const(2.0))))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        softplus = op("Add", op("Relu", x), op("Softplus", op("Negative", op("Abs", x))))
        return [op("Mul", x, op("Tanh", softplus))]
