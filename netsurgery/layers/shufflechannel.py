"""ShuffleChannel: the channels of groups dealt out in turn."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Tensors
from .shared.emission import with_four_axes


class ShuffleChannel(LayerType):
    """y[n, j group + i] = x[n, i (C / group) + j]: the channels, a matrix of `group` rows, transposed.

    Shapes: up to 4 axes -> (N, C, H, W): axes that are missing are 1.
    Source: shuffle_channel_layer.cpp of farmingyard/ShuffleNet
    """

    types = ("ShuffleChannel",)
    gives_features = True
    scope = "channels"

    def read(self, p: Params) -> None:
        self.group = p.message("shuffle_channel_param").get_positive("group")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if not 2 <= len(x) <= 4:
            raise ShapeError(f"the bottom has {len(x)} axes", layer=self, expected="2 to 4")
        self.require(x[1] - x[1] // self.group * self.group, 0, f"channels modulo group {self.group}")
        return [x + (1,) * (4 - len(x))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        n, c, h, w = x.shape + (1,) * (4 - x.ndim)
        return [x.reshape(n, self.group, c // self.group, h, w).swapaxes(1, 2).reshape(n, c, h, w)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = with_four_axes(op, bottoms[0])
        if self.group == 1:
            return [x]
        if isinstance(channels := x.shape[1], int) and not op.plain:  # whole planes are copied, by one node
            order = np.arange(channels).reshape(self.group, -1).T
            return [op("Gather", x, op.const(order.reshape(-1), "int64"), axis=1)]
        columns = op("Div", op.size(x, 1), op.ints(self.group))
        rows = op("Transpose", op.reshape(x, 0, self.group, columns, -1), perm=(0, 2, 1, 3))
        return [op("Reshape", rows, op("Shape", x))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = with_four_axes(op, bottoms[0])
        if self.group == 1:
            return [x]
        columns = op("Div", op.size(x, 1), op.ints(self.group))
        rows = op("Transpose", op.reshape(x, 0, self.group, columns, -1), axes=(0, 2, 1, 3))
        return [op.reshape(rows, 0, op.size(x, 1), op.size(x, 2), op.size(x, 3))]
