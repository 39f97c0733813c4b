"""TanH: squeezes into (-1, 1)."""

from __future__ import annotations

import numpy as np

from .core import Arrays, LayerType, Op, Params, Tensors


class TanH(LayerType):
    """y = tanh(x)

    Shapes: any.
    Source: tanh_layer.cpp
    """

    types = ("TanH",)
    gives_features = True
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        p.message("tanh_param")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.tanh(bottoms[0])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Tanh", bottoms[0])]
