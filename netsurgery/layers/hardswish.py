"""HardSwish: x, gated by a straight line between 0 and 1."""

from typing import ClassVar

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled, shifted


class HardSwish(Elementwise):
    """y = x min(max(x + 3, 0), 6) / 6

    Shapes: any.
    Source: hard_swish_layer.cpp (Synopsys), hardswish_layer.cpp of MobileNetV3's forks
    """

    types: ClassVar[tuple[str, ...]] = ("HardSwish", "HSwish")
    note = "by formula; one fork (dialect keras-hard) has the line x / 5 + 1 / 2"
    slope, shift = 1 / 6, 0.5

    def read(self, p: Params) -> None:
        p.ignore("hardswish_param", "hard_swish_param", why="it has nothing but the choice of an implementation")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        number = x.dtype.type
        return [x * np.minimum(np.maximum(x * number(self.slope) + number(self.shift), 0), 1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [op("Mul", x, op("HardSigmoid", x, alpha=self.slope, beta=self.shift))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        line = shifted(op, scaled(op, x, self.slope), self.shift)
        return [op("Mul", x, op("Clip", line, min=0.0, max=1.0))]


class KerasHardSwish(HardSwish):
    """y = x min(max(x / 5 + 1 / 2, 0), 1)

    Shapes: any.
    Source: hardswish_layer.cpp of a fork that took the line of Keras' hard sigmoid
    """

    types = ()
    slope = 0.2
