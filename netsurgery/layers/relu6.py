"""ReLU6: a ReLU limited at 6."""

import numpy as np

from .caffe2.operators import LOWEST
from .core import Arrays, Elementwise, Op, Params, Tensors


class ReLU6(Elementwise):
    """y = min(max(x, 0) + negative_slope * min(x, 0), 6)

    Shapes: any.
    Source: relu6_layer.cpp of eric612/MobileNet-YOLO; of jolibrain/caffe without a slope
    """

    types = ("ReLU6",)
    gives_features = True

    def read(self, p: Params) -> None:
        self.slope = p.message("relu6_param").get_float("negative_slope")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        y = np.maximum(x, 0)
        if self.slope != 0:
            y += x.dtype.type(self.slope) * np.minimum(x, 0)
        return [np.minimum(y, 6)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        six = op.const(6.0)
        if self.slope == 0:
            return [op("Clip", x, op.const(0.0), six)]
        return [op("Min", op("LeakyRelu", x, alpha=self.slope), six)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.slope == 0:
            return [op("Clip", x, min=0.0, max=6.0)]
        return [op("Clip", op("LeakyRelu", x, alpha=self.slope), min=LOWEST, max=6.0)]
