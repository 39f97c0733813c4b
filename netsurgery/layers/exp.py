"""Exp: a power of a base."""

from __future__ import annotations

import math

import numpy as np

from .caffe2.operators import scaled
from .core import Arrays, LayerType, Op, Params, Tensors


class Exp(LayerType):
    """y = base ^ (shift + scale x), computed as base ^ shift * exp(log(base) scale x); base -1 stands for e.

    Shapes: any.
    Source: exp_layer.cpp
    """

    types = ("Exp",)
    in_place = True
    scope = "number"

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
        (x,) = bottoms
        y = op("Exp", x if self.inner == 1 else op("Mul", x, op.const(self.inner)))
        return [y if self.outer == 1 else op("Mul", y, op.const(self.outer))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [scaled(op, op("Exp", scaled(op, bottoms[0], self.inner)), self.outer)]
