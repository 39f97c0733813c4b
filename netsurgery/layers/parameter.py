"""Parameter: learned numbers as a blob."""

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors


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

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [self.shape]

    def shapes(self, bottoms: Shapes) -> Shapes:
        return [self.shape]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [weights[0]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op.weight(weights[0], "value")]
