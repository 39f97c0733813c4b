"""Scale: multiplies by a blob along some axes, and may add another."""

from collections.abc import Sequence

import numpy as np

from ..message import Message
from .core import Array, Arrays, Op, Params, Shape, Shapes, Tensors
from .shared.along import Along, emit_scaled
from .shared.grouped import with_bias


class Scale(Along):
    """y = s x, or with `bias_term` s x + b, both lying along the axes of x from `axis` (1) on.

    Shapes: x any; s the first blob, x.shape[axis : axis + num_axes], or the second bottom; b the last blob, of the shape of s.
    Source: scale_layer.cpp
    """

    types = ("Scale",)
    gives_features = True
    message = "scale_param"

    def read(self, p: Params) -> None:
        q = p.message("scale_param")
        self.read_place(q)
        self.bias_term = q.get_bool("bias_term")
        scale, bias = q.filler("filler", 1.0), q.filler("bias_filler")
        self.fillers = (scale, bias) if self.bottom_count == 1 else (bias,)

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [self.blob_shape(bottoms)] * ((len(bottoms) == 1) + self.bias_term)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, s = bottoms if len(bottoms) == 2 else (bottoms[0], weights[0])
        behind = self.behind(x.ndim, s.ndim)
        y = x * s.reshape(s.shape + behind)
        return [y + weights[-1].reshape(s.shape + behind) if self.bias_term else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        channels = x.shape[1] if len(x.shape) == 4 else None
        if not op.plain and self.bias_term and isinstance(channels, int) and (change := self.affine(weights)):
            return [emit_scaled(op, x, *(np.broadcast_to(numbers, (channels,)) for numbers in change))]
        y = op("Mul", x, self.emit_along(op, x, bottoms[1] if len(bottoms) == 2 else weights[0], "scale"))
        return [op("Add", y, self.emit_along(op, x, weights[-1], "bias")) if self.bias_term else y]

    def absorb_input(
        self, params: Message, weights: Arrays, bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        change = self.affine(weights)
        if change is None or list(order) != sorted(order):
            return None
        return *with_bias(params, "scale_param", change[0] * scale, change[0] * shift + change[1]), True

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        if self.bottom_count == 2 or not (weights[0].ndim == 0 or (weights[0].ndim == 1 and self.from_axis == 1)):
            return None
        return weights[0].astype(np.float64), weights[1].astype(np.float64) if self.bias_term else np.zeros(())
