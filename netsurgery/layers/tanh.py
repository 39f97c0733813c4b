"""TanH: squeezes into (-1, 1)."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors


class TanH(Elementwise):
    """y = tanh(x)

    Shapes: any.
    Source: tanh_layer.cpp
    """

    types = ("TanH",)
    gives_features = True

    def read(self, p: Params) -> None:
        p.message("tanh_param")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.tanh(bottoms[0])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Tanh", bottoms[0])]
