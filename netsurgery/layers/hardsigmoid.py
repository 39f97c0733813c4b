"""HardSigmoid: a straight line between 0 and 1."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled, shifted


class HardSigmoid(Elementwise):
    """y = min(max(alpha x + beta, 0), 1); alpha is 1 / 5 and beta 1 / 2 unless they are set.

    Shapes: any.
    Source: hard_sigmoid_layer.cpp (Synopsys), hardsigmoid_layer.cpp of MobileNetV3's forks
    """

    types = ("HardSigmoid", "HSigmoid")
    note = "by formula"

    def read(self, p: Params) -> None:
        field = "hardsigmoid_param" if p.has("hardsigmoid_param") else "hard_sigmoid_param"
        q = p.message(field)
        self.alpha, self.beta = q.get_float("alpha", 0.2), q.get_float("beta", 0.5)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        number = x.dtype.type
        return [np.minimum(np.maximum(x * number(self.alpha) + number(self.beta), 0), 1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("HardSigmoid", bottoms[0], alpha=self.alpha, beta=self.beta)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Clip", shifted(op, scaled(op, bottoms[0], self.alpha), self.beta), min=0.0, max=1.0)]
