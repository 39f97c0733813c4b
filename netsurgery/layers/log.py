"""Log: the logarithm to a base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .caffe2.operators import scaled, shifted
from .core import Arrays, LayerType, Op, Params, Tensors


class Log(LayerType):
    """y = log(shift + scale x) / log(base); base -1 stands for e.

    Shapes: any.
    Source: log_layer.cpp
    """

    types = ("Log",)
    in_place = True
    scope = "number"

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
        (x,) = bottoms
        if self.scale != 1:
            x = op("Mul", x, op.const(self.scale))
        if self.shift != 0:
            x = op("Add", x, op.const(self.shift))
        y = op("Log", x)
        return [y if self.outer == 1 else op("Mul", y, op.const(self.outer))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        y = op("Log", shifted(op, scaled(op, bottoms[0], self.scale), self.shift))
        return [scaled(op, y, self.outer)]

    def sample(self, index: int, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> NDArray[Any] | None:
        return (rng.uniform(0.1, 2, shapes[0]) - self.shift) / (self.scale or 1)
