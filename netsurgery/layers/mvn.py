"""MVN: each item, or each channel of it, to mean 0 and variance 1."""

import numpy as np

from .core import WHOLE, Arrays, LayerType, Op, Params, Reaches, ShapeError, Shapes, Tensors
from .shared.emission import reduce, shifted, with_four_axes


class MVN(LayerType):
    """y = (x - mean) / (sqrt(mean (x - mean)^2) + eps), over each channel of each item, with `across_channels` over each item.

    Without `normalize_variance` y = x - mean.

    Shapes: up to 4 axes -> (N, C, H, W): axes that are missing are 1.
    Source: mvn_layer.cpp
    """

    types = ("MVN",)
    in_place = True
    mixes = "takes its mean over all positions of the map"

    def read(self, p: Params) -> None:
        q = p.message("mvn_param")
        self.normalize_variance = q.get_bool("normalize_variance")
        self.axes = (1, 2, 3) if q.get_bool("across_channels") else (2, 3)
        self.eps = q.get_float("eps")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if len(x) > 4:
            raise ShapeError(f"the bottom has {len(x)} axes", layer=self, expected="at most 4: (N, C, H, W)")
        return [x + (1,) * (4 - len(x))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        x = x.reshape(x.shape + (1,) * (4 - x.ndim))
        y = x - x.mean(axis=self.axes, keepdims=True)
        if not self.normalize_variance:
            return [y]
        return [y / (np.sqrt((y * y).mean(axis=self.axes, keepdims=True)) + x.dtype.type(self.eps))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = with_four_axes(op, bottoms[0])
        y = op("Sub", x, reduce(op, "ReduceMean", x, self.axes, keep=True))
        if not self.normalize_variance:
            return [y]
        variance = reduce(op, "ReduceMean", op.square(y), self.axes, keep=True)
        return [op("Div", y, shifted(op, op("Sqrt", variance), self.eps))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * (len(x) - 2) for x in bottoms]
