"""Parameter: learned numbers as a blob."""

from __future__ import annotations

from collections.abc import Sequence

from .caffe2.operators import Operators
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Parameter(LayerType):
    """y = the layer's blob.

    Shapes: `parameter_param { shape }`; the blob has the same.
    Source: parameter_layer.hpp
    """

    types = ("Parameter",)
    bottoms = (0, 0)

    def read(self, p: Params) -> None:
        q = p.message("parameter_param")
        self.shape = q.message("shape").get_ints("dim")
        if any(n < 0 for n in self.shape):
            raise q.refuse("shape", f"shape is {self.shape}", expected="sizes of 0 or more")

    def weight_shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        return [self.shape]

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        return [self.shape]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        return [weights[0]]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op.weight(weights[0], "value")]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return [op.weight(weights[0], "value")]
