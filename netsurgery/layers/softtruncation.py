"""SoftTruncation: what an exponential leaves of 1."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled, shifted


class SoftTruncation(Elementwise):
    """y = 1 - exp(-x / c)

    Shapes: any.
    Source: soft_truncation_layer.cpp of happynear/caffe-windows
    """

    types = ("SoftTruncation",)
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("soft_truncation_param")
        c = q.get_float("c")
        if c == 0:
            raise q.refuse("c", "c is 0", expected="another number")
        self.inner = -1 / c

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [-np.expm1(x * x.dtype.type(self.inner))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Sub", op.const(1.0), op("Exp", op("Mul", bottoms[0], op.const(self.inner))))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [shifted(op, op("Negative", op("Exp", scaled(op, bottoms[0], self.inner))), 1.0)]
