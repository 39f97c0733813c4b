"""NegSquare: squares, below zero."""

from .core import Arrays, Elementwise, Op, Params, Tensors


class NegSquare(Elementwise):
    """y = -x^2

    Shapes: any.
    Source: negsquare_layer.cu of LiteFlowNet
    """

    types = ("NegSquare",)
    note = "by formula"

    def read(self, p: Params) -> None:
        p.ignore("neg_square_param", "negsquare_param", why="the message has no fields")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [-(x * x)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [op("Neg", op("Mul", x, x))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Negative", op("Sqr", bottoms[0]))]
