"""ReLU: max(0, x), or leaky."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors


class ReLU(Elementwise):
    """y = max(x, 0) + negative_slope * min(x, 0)

    Shapes: any.
    Source: relu_layer.cpp
    """

    types = ("ReLU",)
    gives_features = True

    def read(self, p: Params) -> None:
        self.slope = p.message("relu_param").get_float("negative_slope")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        if self.slope == 0:
            return [np.maximum(x, 0)]
        return [np.maximum(x, 0) + x.dtype.type(self.slope) * np.minimum(x, 0)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.slope == 0:
            return [op("Relu", x)]
        return [op("LeakyRelu", x, alpha=self.slope)]
