"""NormL2: each item brought to length 1."""

import numpy as np

from .core import WHOLE, Arrays, LayerType, Op, Reaches, ShapeError, Shapes, Tensors
from .shared.emission import magnitude, with_four_axes

EPS = 1e-7


class NormL2(LayerType):
    """y = x / sqrt(sum x^2 + 1e-7), summed over each item.

    Shapes: up to 4 axes -> (N, C, H, W).
    Source: normL2_layer.cpp of xialuxi/arcface-caffe
    """

    types = ("NormL2",)
    mixes = "divides by the length of a whole item"
    note = "by formula"

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if not 1 <= len(x) <= 4:
            raise ShapeError(f"the bottom has {len(x)} axes", layer=self, expected="1 to 4")
        return [(*x, *(1,) * (4 - len(x)))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        x = x.reshape(x.shape + (1,) * (4 - x.ndim))
        return [x / np.sqrt((x * x).sum(axis=(1, 2, 3), keepdims=True) + x.dtype.type(EPS))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = with_four_axes(op, bottoms[0])
        total = magnitude(op, x, (1, 2, 3), keep=True)
        return [op("Div", x, op("Sqrt", op("Add", total, op.const(EPS))))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * (len(bottoms[0]) - 2)]
