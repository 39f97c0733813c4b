"""Grid: the coordinates of each position."""

import numpy as np

from .caffe2.operators import cast, expand
from .core import Arrays, LayerType, Op, Reaches, Shapes, Tensors


class Grid(LayerType):
    """y[0, i, j] = j, y[1, i, j] = i; of the bottom only the size counts.

    Shapes: (N, C, H, W) -> (N, 2, H, W).
    Source: grid_layer.cpp of LiteFlowNet
    """

    types = ("Grid",)
    note = "by formula"

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        return [(x[0], 2, *x[2:])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        n, _, h, w = x.shape
        rows, columns = np.indices((h, w), x.dtype)
        return [np.broadcast_to(np.stack([columns, rows]), (n, 2, h, w)).copy()]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        n, h, w = (op.size(x, i) for i in (0, 2, 3))
        shape = op.ints(n, 1, h, w)
        zero, one = op.const(0, "int64"), op.const(1, "int64")
        columns = op("Range", zero, op("Squeeze", w), one)
        rows = op("Unsqueeze", op("Range", zero, op("Squeeze", h), one), op.ints(1))
        both = op("Concat", op("Expand", columns, shape), op("Expand", rows, shape), axis=1)
        return [op("Cast", both, to=1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        sizes = [op.size(x, 0), 1, op.size(x, 2), op.size(x, 3)]
        lines = (
            op.reshape(cast(op, op("Range", op.size(x, axis)), "float"), *shape)
            for axis, shape in ((3, (1, 1, 1, -1)), (2, (1, 1, -1, 1)))
        )
        return [op("Concat", *(expand(op, line, *sizes) for line in lines), axis=1)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [None]
