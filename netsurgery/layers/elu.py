"""ELU: a ReLU with an exponential tail."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors


class ELU(Elementwise):
    """y = x where x > 0, else alpha (exp(x) - 1).

    Shapes: any.
    Source: elu_layer.cpp
    """

    types = ("ELU",)
    gives_features = True

    def read(self, p: Params) -> None:
        self.alpha = p.message("elu_param").get_float("alpha")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.maximum(x, 0) + x.dtype.type(self.alpha) * np.expm1(np.minimum(x, 0))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Elu", bottoms[0], alpha=self.alpha)]
