"""AbsVal: magnitudes."""

import numpy as np

from .core import Arrays, LayerType, Op, Tensors


class AbsVal(LayerType):
    """y = |x|

    Shapes: any.
    Source: absval_layer.cpp
    """

    types = ("AbsVal",)
    gives_features = True
    scope = "number"

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.abs(bottoms[0])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Abs", bottoms[0])]
