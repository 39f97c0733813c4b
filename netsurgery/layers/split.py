"""Split: a blob under several names."""

from __future__ import annotations

from collections.abc import Sequence

from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor


class Split(LayerType):
    """Every top is the bottom. Caffe puts these in by itself where a blob has several readers.

    Shapes: any.
    Source: split_layer.cpp
    """

    types = ("Split",)
    tops = (1, None)
    is_identity = True
    shares_memory = True
    scope = "number"

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        return [bottoms[0]] * self.top_count

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        return [bottoms[0]] * self.top_count

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [bottoms[0]] * self.top_count
