"""GELU: x, gated by a normal distribution."""

import math

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors

INNER, CUBIC = math.sqrt(2 / math.pi), 0.044715


class GELU(Elementwise):
    """y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), the usual approximation of x times the normal distribution of x.

    `enable_bert_version` chooses another implementation of the same numbers.

    Shapes: any.
    Source: GeluLayer.cs of MyCaffe
    """

    types = ("GELU", "Gelu")
    note = "by formula"

    def read(self, p: Params) -> None:
        p.message("gelu_param").ignore("enable_bert_version", why="the formula is the same")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        number = x.dtype.type
        return [number(0.5) * x * (1 + np.tanh(number(INNER) * (x + number(CUBIC) * x * x * x)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        cube = op("Mul", op("Mul", op("Mul", x, x), x), op.const(CUBIC))
        bent = op("Tanh", op("Mul", op("Add", x, cube), op.const(INNER)))
        return [op("Mul", op("Mul", x, op.const(0.5)), op("Add", bent, op.const(1.0)))]
