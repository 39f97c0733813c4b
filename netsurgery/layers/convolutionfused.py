"""Convolution as Intel's Caffe compiles it into a net: with a sum and a ReLU inside."""

import numpy as np

from .convolution import Convolution
from .core import SAME, Array, Arrays, Message, Op, Params, Reaches, Shapes, Surgery, Tensors


class ConvolutionFused(Convolution):
    """y = relu(Convolution(x) + x2), x2 only with `fusion_type: SUM_FUSION`, relu only with `relu: true`:
    relu(t) = max(t, 0) + negative_slope min(t, 0).

    Shapes: as Convolution, x2 as the top.
    Source: mkldnn_convolution_layer.cpp and net.cpp of intel/caffe
    """

    types = ("Convolution:fused",)
    note = "by formula: Convolution with a sum and a ReLU inside"
    bottoms = (1, 2)
    tops = (1, 1)

    def read(self, p: Params) -> None:
        super().read(p)
        q = self.p
        self.relu, self.slope = q.get_bool("relu"), q.get_float("negative_slope")
        self.sums = q.get_str("fusion_type") == "SUM_FUSION"
        if any(c != 1 for c in q.get_floats("coeff")):
            raise q.refuse("coeff", "coefficients of the sum, which the layer uses for integers only", expected="1")
        if self.bottom_count != 1 + self.sums:
            raise q.refuse(
                "fusion_type",
                f"{self.bottom_count} bottoms, fusion_type is {q.get_str('fusion_type')}",
                expected="two bottoms with SUM_FUSION, else one",
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        (y,) = super().shapes(bottoms[:1])
        for x in bottoms[1:]:
            self.rank(x, len(y), "bottom 1")
            self.require_alike(x, y, "bottom 1, that of the top being expected")
        return [y]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (y,) = super().forward(bottoms[:1], weights)
        for x in bottoms[1:]:
            y = y + x
        return [np.maximum(y, 0) + y.dtype.type(self.slope) * np.minimum(y, 0) if self.relu else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (y,) = super().emit(op, bottoms[:1], weights)
        for x in bottoms[1:]:
            y = op("Add", y, x)
        if not self.relu:
            return [y]
        return [op("LeakyRelu", y, alpha=self.slope) if self.slope else op("Relu", y)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [*super().reach(bottoms[:1]), *([SAME] * (len(x) - 2) for x in bottoms[1:])]

    def absorb(self, params: Message, weights: Arrays, scale: Array, shift: Array) -> Surgery | None:
        return None
