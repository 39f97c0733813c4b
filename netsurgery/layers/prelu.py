"""PReLU: a leaky ReLU of learned slopes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from .caffe2.operators import Operators
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class PReLU(LayerType):
    """y = max(x, 0) + slope[c] * min(x, 0)

    Shapes: (N, C, ...); slope (C), or () with `channel_shared`.
    Source: prelu_layer.cpp
    """

    types = ("PReLU",)
    in_place = True
    scope = "channels"

    def read(self, p: Params) -> None:
        q = p.message("prelu_param")
        self.channel_shared = q.get_bool("channel_shared")
        self.fillers = (q.filler("filler", 0.25),)

    def weight_shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        return [()] if self.channel_shared else [(bottoms[0][1],)]

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        (x,) = bottoms
        if len(x) < 2:
            raise ShapeError(
                f"the bottom has {len(x)} axes", layer=self.title, source=self.source, expected="2 or more: (N, C, ...)"
            )
        return [x]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        slope = weights[0].reshape(-1, *(1,) * (x.ndim - 2))
        return [np.maximum(x, 0) + slope * np.minimum(x, 0)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        behind = () if self.channel_shared else (1,) * (len(x.shape) - 2)
        return [op("PRelu", x, op.weight(weights[0].reshape(-1, *behind), "slope"))]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op("PRelu", bottoms[0], op.weight(weights[0].reshape(-1), "slope"))]
