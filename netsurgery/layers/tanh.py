"""TanH: squeezes into (-1, 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class TanH(LayerType):
    """y = tanh(x)

    Shapes: any.
    Source: tanh_layer.cpp
    """

    types = ("TanH",)
    in_place = True
    scope = "number"

    def read(self, p: Params) -> None:
        p.message("tanh_param")

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        return [np.tanh(bottoms[0])]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Tanh", bottoms[0])]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Tanh", bottoms[0])]
