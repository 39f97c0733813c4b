"""Downsample: a smaller map, each value of which is the mean of those around it, the nearer the heavier."""

from fractions import Fraction

import numpy as np

from .caffe2.operators import along_axis
from .core import NOWHERE, Array, Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Tensors
from .shared.emission import emit_line


class Downsample(LayerType):
    """y[i, j] = sum over r, c of k(i, r) k(j, c) x[r, c] / sum over r, c of k(i, r) k(j, c), k(i, r) = max(0, 1 - |r - f i| / f),
    f = (size - 1) / (new size - 1) along each axis. Where the size stays, y = x.

    An enlargement may have places without any neighbour that counts: NaN there. NaN in x spreads (the original leaves it out).

    Shapes: (N, C, H, W) -> (N, C, top_height, top_width), or those of a second bottom.
    Source: downsample_layer.cu of FlowNet 2
    """

    types = ("Downsample",)
    bottoms = (1, 2)

    def read(self, p: Params) -> None:
        q = p.message("downsample_param")
        self.size = q.get_int("top_height"), q.get_int("top_width")
        if self.bottom_count == 1 and min(self.size) < 1:
            raise q.refuse(
                "top_height", f"the new size is {self.size}", expected="positive numbers, or a second bottom"
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.ranks(bottoms, 4)
        x = bottoms[0]
        top = (*x[:2], *(bottoms[1][2:] if len(bottoms) == 2 else self.size))
        if 1 in top[2:] and all(isinstance(n, int) for n in (*x[2:], *top[2:])) and x[2:] != top[2:]:
            raise ShapeError(
                f"a new size of 1: {top[2]} x {top[3]}",
                layer=self,
                expected="2 or more along each axis: the layer divides by the new size less 1",
            )
        return [top]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        new = bottoms[1].shape[2:] if len(bottoms) == 2 else self.size
        if new == x.shape[2:]:
            return [x]
        down, across = (_shares(n, m).astype(x.dtype) for n, m in zip(x.shape[2:], new, strict=True))
        return [down @ x @ across.T]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        target = bottoms[1] if len(bottoms) == 2 else None
        if self.shapes([b.shape for b in bottoms])[0] == tuple(x.shape):
            return [x]
        matrices = []
        for axis in (2, 3):
            old, new = op.size(x, axis), op.size(target, axis) if target else op.ints(self.size[axis - 2])
            last, end = (op("Cast", op("Sub", n, op.ints(1)), to=1) for n in (old, new))
            places = op("Mul", op("Div", emit_line(op, new), end), last)  # in this order, as the original rounds
            rows, columns = op.reshape(places, -1, 1), emit_line(op, old)
            if axis == 3:
                rows, columns = op.reshape(emit_line(op, old), -1, 1), places
            far = op("Div", op("Abs", op("Sub", rows, columns)), op("Div", last, end))
            k = op("Max", op("Sub", op.const(1.0), far), op.const(0.0))
            matrices.append(op("Div", k, op("ReduceSum", k, op.ints(3 - axis), keepdims=1)))
        return [op("MatMul", op("MatMul", matrices[0], x), matrices[1])]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        old = tuple(op.number(n) for n in x.shape[2:])
        new = tuple(op.number(n) for n in (bottoms[1].shape[2:] if len(bottoms) == 2 else self.size))
        if old == new:
            return [x]
        for axis, (n, m) in enumerate(zip(old, new, strict=True), 2):
            at = np.arange(m, dtype=np.float32)[:, None] / np.float32(m - 1) * np.float32(n - 1)
            k = np.maximum(1 - np.abs(np.arange(n) - at) * ((m - 1) / max(n - 1, 1)), 0)
            x = along_axis(op, x, k / k.sum(axis=1, keepdims=True), axis)
        return [x]

    def reach(self, bottoms: Shapes) -> Reaches:
        new = self.shapes(bottoms)[0][2:]
        rest = [None] * (len(bottoms) - 1)  # of a second bottom the size alone counts
        return [[self._axis_reach(n, m) for n, m in zip(bottoms[0][2:], new, strict=True)], *rest]

    @staticmethod
    def _axis_reach(n: object, m: object) -> Reach:
        if not isinstance(n, int) or not isinstance(m, int) or m < 2:
            return NOWHERE
        f = Fraction(n - 1, m - 1)
        return Reach(f, -f, f)


def _shares(old: int, new: int) -> Array:
    """(new, old): the share of each old position in each new one, positions in float32 as in the original."""
    factor = np.float32(old - 1) / np.float32(new - 1)
    at = np.arange(new, dtype=np.float32) / np.float32(new - 1) * np.float32(old - 1)
    far = np.abs(np.arange(old, dtype=np.float32) - at[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        k = np.maximum(0, 1 - far / factor)
        return np.asarray(k / k.sum(axis=1, keepdims=True))
