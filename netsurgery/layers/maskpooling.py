"""MaskPooling: features of regions times their masks."""

from .caffe2.operators import expand
from .core import Arrays, LayerType, Op, Shapes, Tensors


class MaskPooling(LayerType):
    """y[n, c, i, j] = x[n, c, i, j] * mask[n, 0, i, j]

    Shapes: x (N, C, H, W), mask (N, 1, H, W) -> (N, C, H, W).
    Source: daijifeng001/caffe-mnc, mask_pooling_layer.cu
    """

    types = ("MaskPooling",)
    bottoms = (2, 2)
    note = "by formula (MNC)"

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, mask = bottoms
        self.ranks(bottoms, 4, ("bottom 0", "the mask"))
        self.require_alike(mask, (x[0], 1, *x[2:]), "the mask", ("items", "channels", "height", "width"))
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [bottoms[0] * bottoms[1]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Mul", *bottoms)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, mask = bottoms
        return [op("Mul", x, expand(op, mask, *(op.size(x, i) for i in range(4))))]
