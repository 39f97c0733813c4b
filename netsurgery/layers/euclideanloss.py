"""EuclideanLoss: half the mean squared distance."""

import numpy as np

from .caffe2.losses import alike, count, total
from .core import Arrays, Op, Shapes, Tensors, product
from .shared.emission import magnitude
from .shared.losses import Loss, emit_alike, emit_count, emit_mean


class EuclideanLoss(Loss):
    """y = sum (a - b)^2 / (2 N)

    Shapes: two bottoms (N, ...) of equal counts per item -> ().
    Source: euclidean_loss_layer.cpp
    """

    types = ("EuclideanLoss",)
    scope = "channels"

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        self.four(bottoms[0], "bottom 0")
        self.require(product(bottoms[1][1:]), product(bottoms[0][1:]), "values per item of bottom 1")
        return [()]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        d = (bottoms[0].ravel() - bottoms[1].ravel()).astype(bottoms[0].dtype)
        return [np.dot(d, d) / len(bottoms[0]) / 2]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        total = magnitude(op, op("Sub", *emit_alike(op, *bottoms)))
        return [emit_mean(op, total, op("Mul", emit_count(op, bottoms[0], [0]), op.const(2.0)))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (a, b), rank = alike(op, *bottoms)
        number = op("Mul", count(op, bottoms[0], [0]), op.const(2.0))
        return [op("Div", total(op, op("Sqr", op("Sub", a, b)), rank), number)]
