"""Split: a blob under several names."""

from .core import Arrays, LayerType, Op, Shapes, Tensors


class Split(LayerType):
    """Every top is the bottom. Caffe puts these in by itself where a blob has several readers.

    Shapes: any.
    Source: split_layer.cpp
    """

    types = ("Split",)
    gives_features = True
    tops = (1, None)
    is_identity = True
    shares_memory = True
    scope = "number"

    def shapes(self, bottoms: Shapes) -> Shapes:
        return [bottoms[0]] * self.top_count

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [bottoms[0]] * self.top_count

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [bottoms[0]] * self.top_count
