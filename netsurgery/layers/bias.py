"""Bias: adds a blob along some axes."""

import numpy as np

from .core import Array, Arrays, Op, Params, Shapes, Tensors
from .shared.along import Along


class Bias(Along):
    """y = x + b, b lying along the axes of x from `axis` (1) on.

    Shapes: x any; b the blob, x.shape[axis : axis + num_axes], or the second bottom.
    Source: bias_layer.cpp
    """

    types = ("Bias",)
    gives_features = True
    message = "bias_param"

    def read(self, p: Params) -> None:
        q = p.message("bias_param")
        self.read_place(q)
        self.fillers = (q.filler("filler"),)

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [] if len(bottoms) == 2 else [self.blob_shape(bottoms)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, b = bottoms if len(bottoms) == 2 else (bottoms[0], weights[0])
        return [x + b.reshape(b.shape + self.behind(x.ndim, b.ndim))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        return [op("Add", x, self.emit_along(op, x, bottoms[1] if len(bottoms) == 2 else weights[0], "bias"))]

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        if self.bottom_count == 2 or not (weights[0].ndim == 0 or (weights[0].ndim == 1 and self.from_axis == 1)):
            return None
        return np.ones(()), weights[0].astype(np.float64)
