"""Clip: values kept between two bounds."""

import numpy as np

from .caffe2.operators import like
from .core import Arrays, Elementwise, Op, Params, Tensors


class Clip(Elementwise):
    """y = max(min, min(x, max)): `min` where x is NaN or the bounds cross.

    Shapes: any.
    Source: clip_layer.cpp
    """

    types = ("Clip",)
    gives_features = True

    def read(self, p: Params) -> None:
        q = p.message("clip_param")
        for bound in ("min", "max"):
            if not q.has(bound):
                raise q.refuse(bound, f"{bound} is not set", expected="both min and max")
        self.least, self.most = q.get_float("min"), q.get_float("max")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.fmax(x.dtype.type(self.least), np.minimum(x, x.dtype.type(self.most)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        least, most = op.const(self.least), op.const(self.most)
        if self.least > self.most:  # where Clip gives the upper bound
            return [op("Max", op("Min", bottoms[0], most), least)]
        return [op("Clip", bottoms[0], least, most)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        if self.least > self.most:
            return [like(op, bottoms[0], self.least)]
        return [op("Clip", bottoms[0], min=self.least, max=self.most)]
