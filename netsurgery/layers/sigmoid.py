"""Sigmoid: squeezes into (0, 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Sigmoid(LayerType):
    """y = 1 / (1 + exp(-x)), computed as tanh(x / 2) / 2 + 1/2.

    Shapes: any.
    Source: sigmoid_layer.cpp
    """

    types = ("Sigmoid",)
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        p.message("sigmoid_param")

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        half = bottoms[0].dtype.type(0.5)
        return [half * np.tanh(half * bottoms[0]) + half]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Sigmoid", bottoms[0])]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Sigmoid", bottoms[0])]
