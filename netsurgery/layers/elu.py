"""ELU: a ReLU with an exponential tail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class ELU(LayerType):
    """y = x where x > 0, else alpha (exp(x) - 1).

    Shapes: any.
    Source: elu_layer.cpp
    """

    types = ("ELU",)
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        self.alpha = p.message("elu_param").get_float("alpha")

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        return [np.maximum(x, 0) + x.dtype.type(self.alpha) * np.expm1(np.minimum(x, 0))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Elu", bottoms[0], alpha=self.alpha)]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Elu", bottoms[0], alpha=self.alpha)]
