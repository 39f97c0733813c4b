"""Log: the logarithm to a base."""

import math

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Rng, Sample, Sizes, Tensors
from .shared.emission import scaled, shifted


class Log(Elementwise):
    """y = log(shift + scale x) / log(base); base -1 stands for e.

    Shapes: any.
    Source: log_layer.cpp
    """

    types = ("Log",)

    def read(self, p: Params) -> None:
        q = p.message("log_param")
        base = q.get_float("base")
        self.scale, self.shift = q.get_float("scale"), q.get_float("shift")
        if base != -1 and not (0 < base < math.inf and base != 1):
            raise q.refuse("base", f"base is {base:g}", expected="a positive number other than 1, or -1 for e")
        self.outer = 1.0 if base == -1 else 1 / math.log(base)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        number = x.dtype.type
        return [np.log(x * number(self.scale) + number(self.shift)) * number(self.outer)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        y = op("Log", shifted(op, scaled(op, bottoms[0], self.scale), self.shift))
        return [scaled(op, y, self.outer)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return (rng.uniform(0.1, 2, shapes[0]) - self.shift) / (self.scale or 1)
