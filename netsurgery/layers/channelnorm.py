"""ChannelNorm: the length of the vector of channels at each position."""

import numpy as np

from .core import Arrays, LayerType, Op, Shapes, Tensors
from .shared.emission import magnitude


class ChannelNorm(LayerType):
    """y = sqrt(sum over c of x[c]^2)

    Shapes: (N, C, H, W) -> (N, 1, H, W).
    Source: channel_norm_layer.cpp of FlowNet 2
    """

    types = ("ChannelNorm",)
    scope = "channels"

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        return [(x[0], 1, *x[2:])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.sqrt((x * x).sum(axis=1, keepdims=True))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Sqrt", magnitude(op, bottoms[0], (1,), keep=True))]
