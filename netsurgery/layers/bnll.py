"""BNLL: a smooth ReLU (binomial normal log likelihood)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor


class BNLL(LayerType):
    """y = log(1 + exp(x)), computed as max(x, 0) + log(1 + exp(-|x|)).

    Shapes: any.
    Source: bnll_layer.cpp
    """

    types = ("BNLL",)
    in_place = True
    scope = "number"

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Softplus", bottoms[0])]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms  # log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which does not overflow
        return [op("Add", op("Relu", x), op("Softplus", op("Negative", op("Abs", x))))]
