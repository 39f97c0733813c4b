"""Flip: a mirrored map."""

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import turned
from .core import SAME, WHOLE, Arrays, LayerType, Op, Params, Reaches, ShapeError, Shapes, Tensor, Tensors


def backwards(op: Op, x: Tensor, axes: Sequence[int]) -> Tensor:
    """x read from the end to the start along each of `axes`."""
    if not axes:
        return x
    before_first = np.iinfo(np.int64).min
    ends, steps = [before_first] * len(axes), [-1] * len(axes)
    return op("Slice", x, op.ints(steps), op.ints(ends), op.ints(axes), op.ints(steps))


class Flip(LayerType):
    """Axis 3 backwards with `flip_width` (the default), axis 2 with `flip_height`.

    Shapes: (N, C, H, W); axes that are missing are 1.
    Source: flip_layer.cpp of happynear/caffe-windows
    """

    types = ("Flip",)
    mixes = "mirrors a map"

    def read(self, p: Params) -> None:
        q = p.message("flip_param")
        flips = {2: q.get_bool("flip_height"), 3: q.get_bool("flip_width")}
        self.axes = [axis for axis, flip in flips.items() if flip]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if len(x) > 4:
            raise ShapeError(f"the bottom has {len(x)} axes", layer=self, expected="at most 4")
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.flip(bottoms[0], tuple(axis for axis in self.axes if axis < bottoms[0].ndim))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [backwards(op, bottoms[0], [axis for axis in self.axes if axis < len(bottoms[0].shape)])]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (y,) = bottoms
        for axis in self.axes:
            y = turned(op, y, axis) if axis < len(y.shape) else y
        return [y]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE if axis in self.axes else SAME for axis in range(2, len(bottoms[0]))]]
