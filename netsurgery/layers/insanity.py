"""Insanity: a leaky ReLU whose slope was drawn at random in training."""

import math

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors


class Insanity(Elementwise):
    """y = max(x, 0) + min(x, 0) / m, m = (ub - lb) / (log |ub| - log |lb|): the mean of the slopes 1 / s for s between lb and ub.

    Shapes: two axes or more.
    Source: insanity_layer.cpp of happynear/caffe-windows
    """

    types = ("Insanity",)
    fewest_axes = 2
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("insanity_param")
        low, high = q.get_float("lb"), q.get_float("ub")
        if high <= low or low * high == 0:
            raise q.refuse("lb", f"lb is {low:g}, ub {high:g}", expected="lb less than ub, neither of them 0")
        self.slope = (math.log(abs(high)) - math.log(abs(low))) / (high - low)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.maximum(x, 0) + np.minimum(x, 0) * x.dtype.type(self.slope)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("LeakyRelu", bottoms[0], alpha=self.slope)]
