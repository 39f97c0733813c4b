"""Filter: the items that a selector names."""

from .caffe2.operators import cast
from .core import SAME, Arrays, LayerType, Op, Params, Reaches, Rng, Sample, ShapeError, Shapes, Sizes, Tensors, by_data
from .shared.emission import pick


class Filter(LayerType):
    """Top k holds the items n of bottom k for which selector[n] is not 0, the selector being the last bottom.

    Shapes: x (N, ..) .., selector (N, 1..) -> (M, ..) .., M <= N.
    Source: filter_layer.cpp
    """

    types = ("Filter",)
    bottoms = (2, None)
    tops = (1, None)
    mixes = "picks items of the batch"

    def read(self, p: Params) -> None:
        self.choices = tuple(range(self.top_count))
        if self.top_count != self.bottom_count - 1:
            raise ShapeError(
                f"{self.top_count} tops for {self.bottom_count} bottoms",
                layer=self,
                expected=f"{self.bottom_count - 1}: one for each bottom but the selector",
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        *data, selector = bottoms
        for shape in bottoms:
            self.axis(0, len(shape))
            self.require(shape[0], selector[0], "items")
        for size in selector[1:]:
            self.require(size, 1, "an axis of the selector")
        return [(by_data(self.name, "selected"), *x[1:]) for x in data]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        *data, selector = bottoms
        return [x[selector.reshape(-1) != 0] for x in data]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        *data, selector = bottoms
        flat = selector if len(selector.shape) == 1 else op.reshape(selector, -1)
        return pick(op, op("Cast", flat, to=9), *data)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        *data, selector = bottoms
        chosen = cast(op, op.reshape(selector, -1), "bool")
        return [op("BooleanMask", x, chosen) for x in data]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [*([SAME] * (len(x) - 2) for x in bottoms[:-1]), ()]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, 2, shapes[-1]) if index == len(shapes) - 1 else None
