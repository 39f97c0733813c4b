"""SegNet's unpooling: Upsample with the mask of a Pooling as its second bottom."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ...errors import NetsurgeryError
from ..caffe2.operators import cast, full
from ..core import Arrays, LayerType, Op, OpsetError, Params, Reach, Reaches, Shapes, Size, Tensor, Tensors
from ..core.aliases import Rng, Sample, Sizes


class Unpooling(LayerType):
    """y[mask[i]] = x[i] within each channel, counted row by row, 0 elsewhere; of several i for one place the last one counts.

    Shapes: x, mask (N, C, H, W) -> (N, C, upsample_h, upsample_w), or (N, C, H scale_h - pad_out_h, W scale_w - pad_out_w).
    Source: upsample_layer.cpp (SegNet)
    """

    bottoms = (2, 2)

    def read(self, p: Params) -> None:
        q = p.message("upsample_param")
        both = q.has("upsample_h") and q.has("upsample_w")
        self.size = (q.get_int("upsample_h"), q.get_int("upsample_w")) if both else None
        each = (q.has("scale_h"), q.has("scale_w"))
        if not both and (any(each) != all(each) or (all(each) and q.has("scale"))):
            raise q.refuse(
                "scale_h", "the size is not clear", expected="upsample_h and _w, or scale, or scale_h and _w"
            )
        scale = int(min(max(q.get_float("scale", 2.0), 0), 2**31))
        self.scale = (q.get_int("scale_h"), q.get_int("scale_w")) if all(each) else (scale, scale)
        self.cut = int(q.get_bool("pad_out_h")), int(q.get_bool("pad_out_w"))
        if min(self.size or self.scale) < 2:
            raise q.refuse("scale", f"{'size' if both else 'scale'} {self.size or self.scale}", expected="2 or more")
        if not both and any(c and s != 2 for c, s in zip(self.cut, self.scale, strict=True)):
            raise q.refuse("pad_out_h", f"pad_out_h or _w with scale {self.scale}", expected="scale 2")

    def _sizes(self, height: Size, width: Size) -> tuple[Size, Size]:
        if self.size:
            return self.size
        return height * self.scale[0] - self.cut[0], width * self.scale[1] - self.cut[1]

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, mask = bottoms
        self.ranks(bottoms, 4, ("the first bottom", "the mask"))
        self.require_alike(mask, x, "the mask")
        return [(x[0], x[1], *self._sizes(x[2], x[3]))]

    def reach(self, bottoms: Shapes) -> Reaches:
        if self.size:
            return [(), ()]
        return [[Reach(Fraction(1, s), None, None) for s in self.scale]] * 2  # the mask may point anywhere

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, mask = bottoms
        planes, places = x.shape[0] * x.shape[1], x.shape[2] * x.shape[3]
        height, width = (int(n) for n in self._sizes(*x.shape[2:]) if isinstance(n, int))
        at = mask.astype(np.int64).reshape(planes, places)
        if at.size and not 0 <= at.min() <= at.max() < height * width:
            raise NetsurgeryError(
                f"the mask points to places from {at.min()} to {at.max()}",
                layer=self,
                expected=f"0 to {height * width - 1}: the top as large as the bottom of the Pooling",
            )
        y = np.zeros((planes, height * width), x.dtype)
        last = np.zeros((planes, height * width), np.int64)
        plane = np.arange(planes)[:, None]
        np.maximum.at(last, (plane, at), np.arange(places))  # the last position that writes to a place
        y[plane, at] = x.reshape(planes, places)[plane, last[plane, at]]
        return [y.reshape(*x.shape[:2], height, width)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        """A mask in which every position points into its own window."""
        if index != 1:
            return None
        height, width = (int(n) for n in self._sizes(*shapes[1][2:]) if isinstance(n, int))
        rows, columns = (np.arange(n) * side // n for n, side in zip(shapes[1][2:], (height, width), strict=True))
        return np.broadcast_to(rows[:, None] * width + columns, shapes[1])

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, mask = bottoms
        if op.opset < 18 and not mask.distinct:
            raise OpsetError(
                f"unpooling at opset {op.opset}",
                least=18,
                layer=self,
                expected="opset 18 or newer, whose ScatterElements can let the last of several values win; or a mask of windows "
                "that do not overlap",
            )
        n, c, h, w = (op.size(x, i) for i in range(4))
        sides = [op.ints(self.size[i]) if self.size else self._side(op, side, i) for i, side in enumerate((h, w))]
        places = op.ints(n, c, op("Mul", *sides))
        at = op("Cast", op.reshape(mask, 0, 0, -1), to=7)
        if mask.distinct:  # a third of the time of what follows (tests/benchmarks/bench_layers.py)
            zeros = op("Expand", op.const(0.0), places)
            y = op("ScatterElements", zeros, at, op.reshape(x, 0, 0, -1), axis=2)
            return [op.reshape(y, 0, 0, *sides)]
        zeros = op("Expand", op.const(0, "int64"), places)
        count = op("Add", op("Squeeze", op("Mul", h, w)), op.const(1, "int64"))
        order = op("Range", op.const(1, "int64"), count, op.const(1, "int64"))
        # for each place of the top: which position writes to it last, counted from 1; 0 where none does
        writer = op("ScatterElements", zeros, at, op("Expand", order, op("Shape", at)), axis=2, reduction="max")
        values = op("Pad", op.reshape(x, 0, 0, -1), op.ints(0, 0, 1, 0, 0, 0))
        return [op.reshape(op("GatherElements", values, writer, axis=2), 0, 0, *sides)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, mask = bottoms
        n, c, h, w = (op.size(x, i) for i in range(4))
        sides = [
            op.ints(self.size[i]) if self.size else self._side_caffe2(op, side, i) for i, side in enumerate((h, w))
        ]
        planes = op("Mul", n, c)
        zeros = full(op, 0.0, planes, op("Mul", *sides))
        at = op.reshape(cast(op, mask, "int64"), planes, -1)
        y = op("Scatter", zeros, at, op.reshape(x, planes, -1), axis=1)  # of several for one place the last one stays
        return [op.reshape(y, n, c, *sides)]

    def _side_caffe2(self, op: Op, side: Tensor, axis: int) -> Tensor:
        return op("Sub", op("Mul", side, op.ints(self.scale[axis])), op.ints(self.cut[axis]))

    def _side(self, op: Op, side: Tensor, axis: int) -> Tensor:
        scaled = op("Mul", side, op.ints(self.scale[axis]))
        return op("Sub", scaled, op.ints(1)) if self.cut[axis] else scaled
