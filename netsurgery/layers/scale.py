"""Scale: multiplies by a blob along some axes, and may add another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..message import Field, Message
from .core import Array, Arrays, Op, Params, Shape, Shapes, Tensors
from .shared.along import Along

EPSILON = 1e-5
"""What BatchNormalization adds to a variance where nothing is said."""


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
        count = len(bottoms[1].shape) if len(bottoms) == 2 else weights[0].ndim
        behind = self.behind(len(x.shape), count)
        if len(bottoms) == 1:
            s = op.weight(weights[0].reshape(weights[0].shape + behind), "scale")
        else:
            s = op.reshape(bottoms[1], [0] * count, behind) if behind else bottoms[1]
        change = None if op.plain or not self.bias_term or len(x.shape) != 4 else self.affine(weights)
        if change is not None and isinstance(channels := x.shape[1], int):
            # one pass instead of two, which in onnxruntime stays in the blocked layout of convolutions and takes in the ReLU behind
            scale, bias = (np.broadcast_to(numbers, (channels,)) for numbers in change)
            return [op("BatchNormalization", x, scale, bias, np.zeros(channels), np.full(channels, 1 - EPSILON))]
        y = op("Mul", x, s)
        if not self.bias_term:
            return [y]
        return [op("Add", y, op.weight(weights[-1].reshape(weights[-1].shape + behind), "bias"))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        y = op("Mul", x, self.along_caffe2(op, x, bottoms[1] if len(bottoms) == 2 else weights[0], "w"))
        if self.bias_term:
            y = op("Add", y, self.along_caffe2(op, x, weights[-1], "b"))
        return [y]

    def absorb_input(
        self, params: Message, weights: Arrays, bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        change = self.affine(weights)
        if change is None or list(order) != sorted(order):
            return None
        param = params.last("scale_param", Message("ScaleParameter")).with_fields(Field("bias_term", True))
        blobs = (change[0] * scale).astype(np.float32), (change[0] * shift + change[1]).astype(np.float32)
        return params.with_fields(Field("scale_param", param)), blobs, True

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        if self.bottom_count == 2 or not (weights[0].ndim == 0 or (weights[0].ndim == 1 and self.from_axis == 1)):
            return None
        return weights[0].astype(np.float64), weights[1].astype(np.float64) if self.bias_term else np.zeros(())
