"""Mish: a smooth ReLU that dips below zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor


class Mish(LayerType):
    """y = x tanh(log(1 + exp(x)))

    Shapes: any.
    Source: mish_layer.cpp of foss-for-synopsys-dwc-arc-processors/synopsys-caffe
    """

    types = ("Mish",)
    in_place = True
    scope = "number"
    note = "by formula"

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [x * np.tanh(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        return [op("Mul", x, op("Tanh", op("Softplus", x)))]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        softplus = op("Add", op("Relu", x), op("Softplus", op("Negative", op("Abs", x))))
        return [op("Mul", x, op("Tanh", softplus))]
