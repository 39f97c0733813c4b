"""The Python layer cmap_layer.CmapLayer: each number of a vector as a map."""

import numpy as np

from .caffe2.operators import expand, part
from .core import Arrays, LayerType, Op, Params, Shapes, Tensors
from .shared.python_layers import settings, size


class Cmap(LayerType):
    """y[n, c, i, j] = x[0, c]: the first row, for every item.

    Shapes: (N, C) -> (N, C, height, width).
    Source: weitianhan/human_parsing, cmap_layer.py
    """

    types = ("Python:cmap_layer.CmapLayer",)
    note = "of weitianhan/human_parsing; every item of a batch gets the numbers of the first, as there"

    def read(self, p: Params) -> None:
        values = settings(p, self.title, "height", "width")
        self.size = [int(size(p, values, name)) for name in ("height", "width")]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 2)
        return [(*x, *self.size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.ascontiguousarray(np.broadcast_to(x[:1, :, None, None], (*x.shape, *self.size)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        first = op("Unsqueeze", op("Slice", x, op.ints(0), op.ints(1), op.ints(0)), op.ints(2, 3))
        return [op("Expand", first, op.ints(op.size(x, 0), op.size(x, 1), *self.size))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        first = op.reshape(part(op, x, 2, 0, 0, 1), 1, -1, 1, 1)
        return [expand(op, first, op.size(x, 0), op.size(x, 1), *self.size)]
