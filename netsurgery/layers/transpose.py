"""Transpose: axes in another order."""

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors


class Transpose(LayerType):
    """Axis i of y is axis dim[i] of x.

    Shapes: (d0, d1, ..) -> (d_dim[0], d_dim[1], ..).
    Source: transpose_layer.cpp of senlinuc/caffe_ocr and tianzhi0549/CTPN
    """

    types = ("Transpose",)
    gives_features = True
    mixes = "moves the axes of a map"

    def read(self, p: Params) -> None:
        q = p.message("transpose_param")
        self.order = q.get_ints("dim")
        if sorted(self.order) != list(range(len(self.order))):
            raise q.refuse("dim", f"dim is {', '.join(map(str, self.order))}", expected="each axis once, from 0 on")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, len(self.order))
        return [tuple(x[axis] for axis in self.order)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [bottoms[0].transpose(self.order)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Transpose", bottoms[0], perm=self.order)]
