"""Threshold: 1 where a value is above it, else 0."""

from __future__ import annotations

from collections.abc import Sequence

from .caffe2.operators import Operators, cast
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Threshold(LayerType):
    """y = 1 if x > threshold, else 0.

    Shapes: any.
    Source: threshold_layer.cpp
    """

    types = ("Threshold",)
    choices = (0,)
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        self.threshold = p.message("threshold_param").get_float("threshold")

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [(x > self.threshold).astype(x.dtype)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Cast", op("Greater", bottoms[0], op.const(self.threshold)), to=1)]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [cast(op, op("GT", bottoms[0], op.const(self.threshold)), "float")]
