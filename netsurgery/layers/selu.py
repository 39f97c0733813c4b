"""SeLU: an ELU scaled so that deep nets keep mean 0 and variance 1; and the Dropout that goes with it."""

import numpy as np

from .core import Arrays, Elementwise, Op, Params, Tensors


class SeLU(Elementwise):
    """y = lambda x where x > 0, else lambda alpha (exp(x) - 1).

    Shapes: any.
    Source: selu_layer.cpp of jolibrain/caffe (SeLu) and foss-for-synopsys-dwc-arc-processors/synopsys-caffe (SeLU)
    """

    types = ("SeLU", "SeLu")
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("selu_param")
        self.alpha, self.gamma = q.get_float("alpha"), q.get_float("lambda")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        alpha, gamma = x.dtype.type(self.alpha), x.dtype.type(self.gamma)
        return [gamma * (np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Selu", bottoms[0], alpha=self.alpha, gamma=self.gamma)]


class SeLUDropout(Elementwise):
    """y = x

    Shapes: any.
    Source: selu_dropout_layer.cpp of the same two forks
    """

    types = ("SeLUDropout", "SeLuDropout")
    is_identity = True
    note = "by formula"

    def read(self, p: Params) -> None:
        p.ignore("selu_dropout_param", why="it steers training alone")
