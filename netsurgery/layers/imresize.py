"""ImResize: OpenPose's cubic enlargement of heat maps."""

from fractions import Fraction

import numpy as np

from .caffe2.operators import along_axis
from .core import Arrays, LayerType, Op, Params, Reach, Reaches, Shapes, Tensor, Tensors
from .shared.emission import emit_range, reduce

_TAPS = (-1, 0, 1, 2)
# row: power of the distance d from the tap at 0; column: tap. Catmull-Rom's kernel.
_CUBIC = ((0, 1, 0, 0), (-0.5, 0, 0.5, 0), (1, -2.5, 2, -0.5), (-0.5, 1.5, -1.5, 0.5))


class ImResize(LayerType):
    """y[i] = sum over the taps t = -1, 0, 1, 2 of k_t(d) x[q + t], p = (i + 0.5) size / new size - 0.5, q = p cut off, d = p - q.

    q is cut off towards 0, so that d is negative before the first pixel; q + t stays within the image. Along height and width.

    Shapes: (1, C, H, W) -> (1, C, H factor, W factor), or, with `factor` 0, (1, C, target_spatial_height, target_spatial_width).
    Source: imresize_layer.cu (CMU-Perceptual-Computing-Lab/caffe_rtpose)
    """

    types = ("ImResize",)
    note = "by formula of the CUDA code, which OpenPose used; batch 1 only: there a batch means scales to be averaged"

    def read(self, p: Params) -> None:
        q = p.message("imresize_param")
        factor = q.get_float("factor", 0.0)
        self.factor = int(factor)
        self.size = q.get_int("target_spatial_height", 368), q.get_int("target_spatial_width", 368)
        q.ignore("scale_gap", why="it tells the second scale from the first, and there is one")
        if factor != self.factor or factor < 0:
            raise q.refuse("factor", f"factor is {factor:g}", expected="a whole number")
        if q.get_float("start_scale", 1.0) != 1:
            raise q.refuse("start_scale", f"start_scale is {q.get_float('start_scale'):g}", expected="1")
        if min(self.size) < 1:
            raise q.refuse("target_spatial_height", f"the target is {self.size}", expected="positive sizes")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        self.require(x[0], 1, "batch")
        size = (x[2] * self.factor, x[3] * self.factor) if self.factor else self.size
        return [(1, x[1], *size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (y,) = bottoms
        for axis in (2, 3):
            old = y.shape[axis]
            new = old * self.factor if self.factor else self.size[axis - 2]
            p = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * np.float32(old / new) - np.float32(0.5)
            q = np.maximum((p + np.float32(1e-5)).astype(np.int64), 0)
            d = (p - q).astype(y.dtype)
            moved = np.moveaxis(y, axis, -1)
            total = np.zeros((*moved.shape[:-1], new), y.dtype)
            for tap, coefficients in zip(_TAPS, zip(*_CUBIC, strict=True), strict=True):
                share = sum(c * d**power for power, c in enumerate(coefficients))
                total += moved[..., np.clip(q + tap, 0, old - 1)] * np.asarray(share, y.dtype)
            y = np.moveaxis(total, -1, axis)
        return [np.ascontiguousarray(y)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        sizes = [op.size(x, axis) for axis in (2, 3)]
        for axis, old in zip((2, 3), sizes, strict=True):
            new = op("Mul", old, op.ints(self.factor)) if self.factor else op.ints(self.size[axis - 2])
            at, shares = self._taps(op, old, new)  # both (new, 4)
            shares = shares if axis == 3 else op.reshape(shares, -1, 4, 1)
            x = reduce(op, "ReduceSum", op("Mul", op("Gather", x, at, axis=axis), shares), [axis + 1])
        return [x]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        for axis in (2, 3):
            old = op.number(x.shape[axis]) if axis == 2 else op.number(bottoms[0].shape[3])
            new = old * self.factor if self.factor else self.size[axis - 2]
            p = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * np.float32(old / new) - np.float32(0.5)
            q = np.maximum(np.trunc(p + np.float32(1e-5)), 0)
            shares = np.zeros((new, old))
            for tap, (constant, linear, square, cube) in zip(_TAPS, zip(*_CUBIC, strict=True), strict=True):
                d = p - q
                share = constant + d * (linear + d * (square + d * cube))
                np.add.at(shares, (np.arange(new), np.clip(q + tap, 0, old - 1).astype(int)), share)
            x = along_axis(op, x, shares, axis)
        return [x]

    @staticmethod
    def _taps(op: Op, old: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
        """Where the taps of each new position are, and their shares."""
        step = op("Div", op("Cast", old, to=1), op("Cast", new, to=1))
        i = emit_range(op, new)
        middle = op("Add", op("Cast", i, to=1), op.const(0.5))
        p = op.reshape(op("Sub", op("Mul", middle, step), op.const(0.5)), -1, 1)
        q = op("Max", op("Cast", op("Add", p, op.const(1e-5)), to=7), op.const(0, "int64"))
        d = op("Sub", p, op("Cast", q, to=1))
        shares = op("MatMul", op("Pow", d, op.const([0, 1, 2, 3])), op.const(_CUBIC))
        last = op("Sub", old, op.ints(1))
        at = op("Max", op("Min", op("Add", q, op.const(_TAPS, "int64")), last), op.const(0, "int64"))
        return at, shares

    def reach(self, bottoms: Shapes) -> Reaches:
        if not self.factor:
            return [()]
        first = Fraction(1 - self.factor, 2 * self.factor)  # where position 0 lies
        rest = Fraction(first.denominator - 1, first.denominator)
        return [[Reach(Fraction(1, self.factor), first - rest - 1, first + Fraction(5, 2))] * 2]
