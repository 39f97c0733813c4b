"""Softmax: shares that sum to one along an axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..message import Message
from .caffe2.operators import Operators, softmax
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params
from .core.reach import WHOLE, Reach


class Softmax(LayerType):
    """y = exp(x - max x) / sum exp(x - max x), along `axis` (1) alone.

    Shapes: any.
    Source: softmax_layer.cpp
    """

    types = ("Softmax",)
    scope = "channels"
    in_place = True

    def read(self, p: Params) -> None:
        self.along = self.distribution = p.message("softmax_param").get_int("axis")

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        self.axis(self.along, len(bottoms[0]))
        return [bottoms[0]]

    def reach(self, bottoms: Sequence[Shape]) -> Sequence[Sequence[Reach] | None]:
        return self.reach_but(bottoms, self.along, WHOLE)

    def per_position(self, params: Message, bottoms: Sequence[Shape]) -> Message:
        return self.over_channels(params, "softmax_param", self.along, len(bottoms[0]))

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        e = np.exp(x - x.max(axis=self.along, keepdims=True))
        return [e / e.sum(axis=self.along, keepdims=True)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Softmax", bottoms[0], axis=self.along)]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        return [softmax(op, x, len(x.shape), self.axis(self.along, len(x.shape)))]
