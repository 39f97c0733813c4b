"""NegSquare: squares, below zero."""

from __future__ import annotations

from collections.abc import Sequence

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class NegSquare(LayerType):
    """y = -x^2

    Shapes: any.
    Source: negsquare_layer.cu of LiteFlowNet
    """

    types = ("NegSquare",)
    in_place = True
    scope = "number"
    note = "by formula"

    def read(self, p: Params) -> None:
        p.ignore("neg_square_param", "negsquare_param", why="the message has no fields")

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [-(x * x)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        return [op("Neg", op("Mul", x, x))]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Negative", op("Sqr", bottoms[0]))]
