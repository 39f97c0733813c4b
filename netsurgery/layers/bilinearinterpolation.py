"""BilinearInterpolation: bilinear resizing with aligned corners."""

from fractions import Fraction

import numpy as np

from .core import NOWHERE, Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Size, Tensors
from .shared.sampling import linear


class BilinearInterpolation(LayerType):
    """y[i, j] = x between the four pixels around (i (H - 1) / (H' - 1), j (W - 1) / (W' - 1)).

    Shapes: x (N, C, H, W), ref (.., .., H', W') -> (N, C, H', W'); one bottom: H' = H interpolation_factor, W' likewise.
    Source: bilinear_interpolation_layer.cpp of waldol1's fork (dibco_2017); with a factor, that of fitnet-like forks
    """

    types = ("BilinearInterpolation",)
    bottoms = (1, 2)
    note = "by formula"

    def read(self, p: Params) -> None:
        self.factor = 1
        if self.bottom_count == 1:
            q = p.message("bilinear_interpolation_param")
            self.factor = q.get_int("interpolation_factor", 0)
            if self.factor < 1:
                raise q.refuse(
                    "interpolation_factor",
                    "no size is set",
                    expected="interpolation_factor, or a second bottom of the new size",
                )

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.ranks(bottoms, 4)
        x = bottoms[0]
        size = bottoms[1][2:] if len(bottoms) == 2 else tuple(n * self.factor for n in x[2:])
        for new, old in zip(size, x[2:], strict=True):
            if new == 1 and old != 1:
                raise ShapeError(
                    "a new size of 1", layer=self, expected="2 or more: the layer divides by the new size less 1"
                )
        return [(*x[:2], *size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        y = bottoms[0]
        new = bottoms[1].shape[2:] if len(bottoms) == 2 else tuple(n * self.factor for n in y.shape[2:])
        for axis, m in enumerate(new, 2):
            n = y.shape[axis]
            y = linear(y, np.arange(m, dtype=np.float32) * (np.float32(n - 1) / np.float32(max(m - 1, 1))), axis)
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        if len(bottoms) == 2:
            size = [op.size(bottoms[1], i) for i in (2, 3)]
        else:
            size = [op("Mul", op.size(x, i), op.ints(self.factor)) for i in (2, 3)]
        sizes = op.ints(op.size(x, 0), op.size(x, 1), *size)
        if all(n == 1 for n in x.shape[2:]):  # OpenCV 5 divides by 0
            return [op("Expand", x, sizes)]
        return [op("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode="align_corners")]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        new = [op.number(n) for n in self.shapes([b.shape for b in bottoms])[0][2:]]
        # the new size is old * scale, cut to a whole number: a half more makes sure that it is the right one
        h, w = ((m + 0.5) / op.number(n) for m, n in zip(new, bottoms[0].shape[2:], strict=True))
        return [op("UpsampleBilinear", bottoms[0], height_scale=h, width_scale=w)]

    def reach(self, bottoms: Shapes) -> Reaches:
        new = self.shapes(bottoms)[0][2:]
        rest = [None] * (len(bottoms) - 1)
        return [[_axis_reach(n, m) for n, m in zip(bottoms[0][2:], new, strict=True)], *rest]


def _axis_reach(n: Size, m: Size) -> Reach:
    if not isinstance(n, int) or not isinstance(m, int) or min(n, m) < 2:
        return NOWHERE
    step = Fraction(n - 1, m - 1)
    rest = Fraction(step.denominator - 1, step.denominator)
    return Reach(step, -rest, rest)
