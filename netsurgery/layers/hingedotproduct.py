"""The Python layer my_dot_product_layer.MyHingLossDotProductLayer."""

import numpy as np

from .core import Arrays, Op, Shapes, Tensors
from .shared.losses import Loss
from .shared.python_layers import NoSettings


class HingeDotProduct(NoSettings, Loss):
    """y = the mean over rows of max(0, 1 - a . b)

    Shapes: two of (N, C) -> (1).
    Source: sri3705/embedding_segmentation, python/my_dot_product_layer.py
    """

    types = ("Python:my_dot_product_layer.MyHingLossDotProductLayer",)
    tops = (1, 1)
    note = "of sri3705/embedding_segmentation"

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.ranks(bottoms, 2)
        self.require_alike(bottoms[1], bottoms[0], "bottom 1", ("rows", "columns"))
        return [(1,)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, b = bottoms
        return [np.maximum(1 - (a * b).sum(axis=1), 0).mean().astype(a.dtype).reshape(1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        dot = op("ReduceSum", op("Mul", *bottoms), op.ints(1), keepdims=0)
        mean = op("ReduceMean", op("Relu", op("Sub", op.const(1), dot)), keepdims=1)
        return [op.reshape(mean, 1)]
