"""Reduction: the sum, mean, sum of magnitudes or sum of squares of each item."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors
from .shared.emission import magnitude, reduce, scaled

OPERATIONS = ("SUM", "ASUM", "SUMSQ", "MEAN")


class Reduction(LayerType):
    """y = coeff * sum x (SUM), sum |x| (ASUM), sum x^2 (SUMSQ) or mean x (MEAN), over all axes from `axis` (0) on.

    Shapes: (d0, .., d_axis, ..) -> (d0, .., d_axis-1).
    Source: reduction_layer.cpp
    """

    types = ("Reduction",)
    mixes = "adds up the positions with the channels"

    def read(self, p: Params) -> None:
        q = p.message("reduction_param")
        self.operation = q.get_str("operation")
        if self.operation not in OPERATIONS:
            raise q.refuse("operation", f"operation is {self.operation}", expected=f"one of: {', '.join(OPERATIONS)}")
        self.from_axis = q.get_int("axis")
        self.coeff = q.get_float("coeff")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        return [x[: self.axis(self.from_axis, len(x))]]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        lead = x.shape[: self.axis(self.from_axis, x.ndim)]
        rows = x.reshape(*lead, int(np.prod(x.shape[len(lead) :])))
        if self.operation == "ASUM":
            rows = np.abs(rows)
        elif self.operation == "SUMSQ":
            rows = rows * rows
        y = rows.mean(axis=-1) if self.operation == "MEAN" else rows.sum(axis=-1)
        return [y * x.dtype.type(self.coeff)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        axes = range(self.axis(self.from_axis, len(x.shape)), len(x.shape))
        if self.operation in ("ASUM", "SUMSQ"):
            y = magnitude(op, x, axes, power=1 if self.operation == "ASUM" else 2)
        else:
            y = reduce(op, "ReduceMean" if self.operation == "MEAN" else "ReduceSum", x, axes)
        return [scaled(op, y, self.coeff)]
