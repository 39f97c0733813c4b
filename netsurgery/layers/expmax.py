"""ExpMax: exponentials of what each channel lies below the greatest."""

import math

import numpy as np

from .core import Arrays, LayerType, Op, Params, Tensors
from .shared.emission import reduce, scaled


class ExpMax(LayerType):
    """y = base^(shift + scale (x - max of x over the channels)); base -1 stands for e.

    The original looks at the first item of a batch for the greatest values and works on that item alone: it is for batches of one, and
    each item of a larger one is treated alike here.

    Shapes: (N, C, ...) -> the same.
    Source: expmax_layer.cu of LiteFlowNet
    """

    types = ("ExpMax",)
    scope = "channels"
    fewest_axes = 2
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("expmax_param")
        base, scale, shift = q.get_float("base"), q.get_float("scale"), q.get_float("shift")
        if base != -1 and not 0 < base < math.inf:
            raise q.refuse("base", f"base is {base:g}", expected="a positive number, or -1 for e")
        log = 1.0 if base == -1 else math.log(base)
        self.inner, self.outer = log * scale, math.exp(log * shift)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        below = x - x.max(axis=1, keepdims=True)
        return [np.exp(below * x.dtype.type(self.inner)) * x.dtype.type(self.outer)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        below = op("Sub", x, reduce(op, "ReduceMax", x, (1,), keep=True))
        return [scaled(op, op("Exp", scaled(op, below, self.inner)), self.outer)]
