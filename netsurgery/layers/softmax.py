"""Softmax: shares that sum to one along an axis."""

import numpy as np

from .caffe2.operators import softmax
from .core import WHOLE, Arrays, LayerType, Message, Op, Params, Reaches, Shapes, Tensors
from .shared.emission import emit_softmax


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

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.axis(self.along, len(bottoms[0]))
        return [bottoms[0]]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        e = np.exp(x - x.max(axis=self.along, keepdims=True))
        return [e / e.sum(axis=self.along, keepdims=True)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [emit_softmax(op, bottoms[0], self.along)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [softmax(op, x, len(x.shape), self.axis(self.along, len(x.shape)))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return self.reach_but(bottoms, self.along, WHOLE)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "softmax_param", self.along, len(bottoms[0]))
