"""AbsVal: magnitudes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import Operators
from .core.layer_type import Array, Graph, LayerType, Tensor


class AbsVal(LayerType):
    """y = |x|

    Shapes: any.
    Source: absval_layer.cpp
    """

    types = ("AbsVal",)
    scope = "number"

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        return [np.abs(bottoms[0])]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Abs", bottoms[0])]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("Abs", bottoms[0])]
