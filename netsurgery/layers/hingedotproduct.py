"""The Python layer my_dot_product_layer.MyHingLossDotProductLayer."""

from __future__ import annotations

import numpy as np

from .core import Arrays, Op, Params, Shapes, Tensors
from .shared.losses import Loss
from .shared.python_layers import no_settings


class HingeDotProduct(Loss):
    """y = the mean over rows of max(0, 1 - a . b)

    Shapes: two of (N, C) -> (1).
    Source: sri3705/embedding_segmentation, python/my_dot_product_layer.py
    """

    types = ("Python:my_dot_product_layer.MyHingLossDotProductLayer",)
    tops = (1, 1)
    note = "of sri3705/embedding_segmentation"

    def read(self, p: Params) -> None:
        no_settings(p)

    def shapes(self, bottoms: Shapes) -> Shapes:
        for i, bottom in enumerate(bottoms):
            self.rank(bottom, 2, f"bottom {i}")
        for axis, what in ((0, "rows"), (1, "columns")):
            self.require(bottoms[1][axis], bottoms[0][axis], f"{what} of bottom 1")
        return [(1,)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, b = bottoms
        return [np.maximum(1 - (a * b).sum(axis=1), 0).mean().astype(a.dtype).reshape(1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        dot = op("ReduceSum", op("Mul", *bottoms), op.ints(1), keepdims=0)
        mean = op("ReduceMean", op("Relu", op("Sub", op.const(1), dot)), keepdims=1)
        return [op.reshape(mean, 1)]
