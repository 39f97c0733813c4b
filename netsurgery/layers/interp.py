"""Interp: bilinear resizing with aligned corners, as PSPNet and DeepLab do it."""

from fractions import Fraction

import numpy as np

from ..errors import ShapeError
from .caffe2.operators import cast, part
from .core import NOWHERE, Arrays, LayerType, Op, Params, Reach, Reaches, Shapes, Size, Tensor, Tensors
from .core.dims import numbers
from .shared.emission import shifted
from .shared.sampling import linear

_TO_THE_END = np.iinfo(np.int64).max


class Interp(LayerType):
    """y[i] = x between floor(p) and the next, p = i * (size - 1) / (new size - 1), along height and width.

    Negative `pad_beg` and `pad_end` crop x first, on both axes. The new size is, by the fields that are present: `shrink_factor` s alone:
    (size - 1) div s + 1; `zoom_factor` z alone: (size - 1) z + 1; `height` and `width`; s and z: one after the other; `full_zoom_factor`
    f: size * f.

    Shapes: (N, C, H, W) -> (N, C, H', W').
    Source: interp_layer.cpp, interp.cpp (PSPNet); full_zoom_factor: Synopsys
    """

    types = ("Interp",)

    def read(self, p: Params) -> None:
        q = p.message("interp_param")
        begin, end = q.get_int("pad_beg"), q.get_int("pad_end")
        if max(begin, end) > 0:
            raise q.refuse("pad_beg", f"pad_beg {begin}, pad_end {end}", expected="0 or less")
        self.crop = -begin, -end
        if q.get_str("mode") != "LINEAR":
            raise q.refuse("mode", f"mode is {q.get_str('mode')}", expected="LINEAR")
        shrink, zoom = q.has("shrink_factor"), q.has("zoom_factor")
        sized = q.has("height") and q.has("width") and shrink == zoom
        full = q.has("full_zoom_factor") and not (sized or shrink or zoom)
        if not (sized or shrink or zoom or full):
            raise q.refuse("height", "no size is set", expected="height and width, shrink_factor or zoom_factor")
        self.size = (q.get_int("height"), q.get_int("width")) if sized else None
        self.shrink, self.zoom = q.get_int("shrink_factor"), q.get_int("zoom_factor")
        self.full = q.get_int("full_zoom_factor") if full else 1
        if min(self.shrink, self.zoom, self.full, *(self.size or (1,))) < 1:
            raise q.refuse("height", "a size or factor is less than 1", expected="positive numbers")

    def _new(self, size: Size, axis: int) -> Size:
        """The new size of an axis (0: height, 1: width) that was cropped to `size`."""
        if self.size:
            return self.size[axis]
        return (((size - 1) // self.shrink) * self.zoom + 1) * self.full

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        left = [n - sum(self.crop) for n in x[2:]]
        if any(isinstance(n, int) and n < 1 for n in left):
            raise ShapeError(
                f"pad_beg and pad_end leave nothing of the bottom: {left}", layer=self, expected="positive sizes"
            )
        return [(x[0], x[1], *(self._new(n, axis) for axis, n in enumerate(left)))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,), (begin, end) = bottoms, self.crop
        y = x[:, :, begin : x.shape[2] - end, begin : x.shape[3] - end]
        for axis, old in enumerate(y.shape[2:]):
            (new,) = numbers([self._new(old, axis)])
            step = np.float32(old - 1) / np.float32(new - 1) if new > 1 else np.float32(0)
            # positions are float32 whatever the numbers are, as in Caffe
            y = linear(y, step * np.arange(new, dtype=np.float32), axis + 2)
        return [np.ascontiguousarray(y)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        size = op.ints(op.size(x, 2), op.size(x, 3))
        left = [n - sum(self.crop) for n in x.shape[2:]]
        new = [self._new(n, axis) for axis, n in enumerate(left)]
        if any(self.crop):
            ends = -self.crop[1] or _TO_THE_END
            x = op("Slice", x, op.ints([self.crop[0]] * 2), op.ints([ends] * 2), op.ints([2, 3]))
        one = [axis for axis in (0, 1) if new[axis] == 1 and left[axis] != 1]
        if one:  # aligned corners say nothing of a single value: it is the first
            x = op("Slice", x, op.ints([0] * len(one)), op.ints([1] * len(one)), op.ints([axis + 2 for axis in one]))
        if all(n in (m, 1) for n, m in zip(new, left, strict=True)):
            return [x]
        sizes = op.ints(op.size(bottoms[0], 0), op.size(bottoms[0], 1), self._new_in_graph(op, size, sum(self.crop)))
        if all(n == 1 for n in left):  # OpenCV 5 divides by 0
            return [op("Expand", x, sizes)]
        return [op("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode="align_corners")]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        begin, end = self.crop
        old = [n - sum(self.crop) for n in x.shape[2:]]
        new = [self._new(n, axis) for axis, n in enumerate(old)]
        for axis in (2, 3) if any(self.crop) else ():
            x = part(op, x, 4, axis, begin, -1 - end)
        if old == new:
            return [x]
        # the new size is old * scale, cut to a whole number: a half more makes sure that it is the right one
        if all(isinstance(n, int) for n in (*old, *new)):
            scales = [(int(n) + 0.5) / int(m) for n, m in zip(new, old, strict=True)]  # type: ignore[arg-type]
            return [op("UpsampleBilinear", x, height_scale=scales[0], width_scale=scales[1])]
        size = op("Shape", x, axes=(2, 3))
        new_size = cast(op, self._new_in_graph(op, size), "float")
        scale = op("Div", shifted(op, new_size, 0.5), cast(op, size, "float"))
        return [op("UpsampleBilinear", x, scale)]

    def _new_in_graph(self, op: Op, size: Tensor, crop: int = 0) -> Tensor:
        """`_new` of both axes, from a size of which `crop` is still to go."""
        if self.size:
            return op.ints(self.size)
        more = self.shrink - 1 - crop
        if more:
            size = op("Add", size, op.ints(more))
        if self.shrink > 1:
            size = op("Div", size, op.ints(self.shrink))
        if self.zoom > 1:
            size = op("Sub", op("Mul", size, op.ints(self.zoom)), op.ints(self.zoom - 1))
        return op("Mul", size, op.ints(self.full)) if self.full > 1 else size

    def reach(self, bottoms: Shapes) -> Reaches:
        (x,) = bottoms
        return [[self._axis_reach(n - sum(self.crop), axis) for axis, n in enumerate(x[2:])]]

    def _axis_reach(self, old: Size, axis: int) -> Reach:
        new, begin = self._new(old, axis), self.crop[0]
        if not isinstance(old, int) or not isinstance(new, int) or (old != new and min(old, new) == 1):
            return NOWHERE
        step = Fraction(old - 1, max(new - 1, 1)) if old > 1 else Fraction(1)
        rest = Fraction(step.denominator - 1, step.denominator)  # the furthest that a position lies from a whole one
        return Reach(step, begin - rest, begin + rest)
