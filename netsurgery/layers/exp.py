"""Exp: a power of a base."""

import math

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled


class Exp(Elementwise):
    """y = base ^ (shift + scale x), computed as base ^ shift * exp(log(base) scale x); base -1 stands for e.

    Shapes: any.
    Source: exp_layer.cpp
    """

    types = ("Exp",)

    def read(self, p: Params) -> None:
        q = p.message("exp_param")
        base, scale, shift = q.get_float("base"), q.get_float("scale"), q.get_float("shift")
        if base != -1 and not 0 < base < math.inf:
            raise q.refuse("base", f"base is {base:g}", expected="a positive number, or -1 for e")
        log_base = 1.0 if base == -1 else math.log(base)
        self.inner = log_base * scale
        self.outer = float(np.exp(log_base * shift))

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [x.dtype.type(self.outer) * np.exp(x.dtype.type(self.inner) * x)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [scaled(op, op("Exp", scaled(op, bottoms[0], self.inner)), self.outer)]
