"""MaskResize: masks brought to the size of the features that they go with."""

import numpy as np

from .core import Array, Arrays, LayerType, Op, Params, Shapes, Tensor, Tensors


class MaskResize(LayerType):
    """y[i, j] = x at row i * H / output_height, column j * W / output_width, between the four pixels around it (the edge's where there are
    none), 0 where that is more than half a pixel outside.

    Shapes: (N, C, H, W) -> (N, C, output_height, output_width).
    Source: daijifeng001/caffe-mnc, mask_resize_layer.cu
    """

    types = ("MaskResize",)
    note = "by formula (MNC)"

    def read(self, p: Params) -> None:
        q = p.message("mask_resize_param")
        self.size = q.get_positive("output_height"), q.get_positive("output_width")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        return [(*x[:2], *self.size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        for axis, size in zip((2, 3), self.size, strict=True):
            n = x.shape[axis]
            at = np.arange(size, dtype=np.float32) * (np.float32(n) / np.float32(size))
            low = np.minimum(at.astype(np.int64), n - 1)
            share = np.where(low < n - 1, at - low, 0).astype(x.dtype)
            inside = at <= n - 0.5
            shape = [-1 if i == axis else 1 for i in range(4)]
            one, other = (np.take(x, np.minimum(low + k, n - 1), axis=axis) for k in (0, 1))
            x = ((1 - share.reshape(shape)) * one + share.reshape(shape) * other) * inside.reshape(shape)
        return [x]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        sizes = op.ints(op.size(x, 0), op.size(x, 1), *self.size)
        y = op("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode="asymmetric")
        for axis, size in zip((2, 3), self.size, strict=True):
            y = self._cut(op, y, op.size(x, axis), axis, np.arange(size, dtype=np.float32) / np.float32(size))
        return [y]

    def _cut(self, op: Op, y: Tensor, n: Tensor, axis: int, shares: Array) -> Tensor:
        """y with zeros where the place, a share of n, is outside."""
        if n.value is not None and (shares * n.value <= n.value - 0.5).all():
            return y
        size = op("Cast", n, to=1)
        inside = op("LessOrEqual", op("Mul", shares, size), op("Sub", size, op.const(0.5)))
        return op("Mul", y, op.reshape(op("Cast", inside, to=1), -1, *[1] * (3 - axis)))
