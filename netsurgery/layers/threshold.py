"""Threshold: 1 where a value is above it, else 0."""

from .core import Arrays, Elementwise, Op, Params, Tensors


class Threshold(Elementwise):
    """y = 1 if x > threshold, else 0.

    Shapes: any.
    Source: threshold_layer.cpp
    """

    types = ("Threshold",)
    choices = (0,)

    def read(self, p: Params) -> None:
        self.threshold = p.message("threshold_param").get_float("threshold")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [(x > self.threshold).astype(x.dtype)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Cast", op("Greater", bottoms[0], op.const(self.threshold)), to=1)]
