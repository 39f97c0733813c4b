"""MergeCrop: the middle of a larger map, put behind the channels of a smaller one, or added to it."""

from typing import Any

import numpy as np

from .caffe2.operators import part
from .core import SAME, Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Size, Tensor, Tensors


class MergeCrop(LayerType):
    """STACK: y = [a, b cut to the size of a around its middle]; ADD: y = a + that. The cut begins at (size of b - size of a) div 2.
    A bottom that is not to go `forward` counts as 0.

    Shapes: a (N, C, ...), b (N, C, ...), b not smaller -> (N, 2C, ...) or (N, C, ...). With other channels than a's the original reads
        its second bottom out of place: refused.
    Source: mergecrop_layer.cu of naibaf7/caffe (BVLC's opencl branch)
    """

    types = ("MergeCrop",)
    bottoms = (2, 2)
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("mergecrop_param")
        self.adds = q.get_str("operation") == "ADD"
        forward = [int(v) for v in q.get_ints("forward")]
        self.goes = (forward + [1, 1][len(forward) :])[:2]
        q.ignore("backward", why="steers training")

    def shapes(self, bottoms: Shapes) -> Shapes:
        a, b = bottoms
        if len(a) < 3:
            self.rank(a, 4, "bottom 0")
        self.rank(b, len(a), "bottom 1")
        self.require(b[0], a[0], "items of bottom 1")
        self.require(b[1], a[1], "channels of bottom 1")
        for n, m in zip(a[2:], b[2:], strict=True):
            if isinstance(n, int) and isinstance(m, int) and m < n:
                raise ShapeError(
                    f"the second bottom has size {m}, the first {n}",
                    layer=self,
                    expected="a second bottom that is not smaller",
                )
        return [(a[0], a[1] * (1 if self.adds else 2), *a[2:])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, b = bottoms
        starts = [(m - n) // 2 for n, m in zip(a.shape[2:], b.shape[2:], strict=True)]
        middle = b[(slice(None), slice(None), *(slice(s, s + n) for s, n in zip(starts, a.shape[2:], strict=True)))]
        first, second = a * self.goes[0], middle * self.goes[1]
        return [first + second if self.adds else np.concatenate([first, second], axis=1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b = bottoms
        cut = [i for i in range(2, len(a.shape)) if a.shape[i] != b.shape[i]]
        if cut:
            sizes = op.ints(*(op.size(a, i) for i in cut))
            starts = op("Div", op("Sub", op.ints(*(op.size(b, i) for i in cut)), sizes), op.ints(2))
            b = op("Slice", b, starts, op("Add", starts, sizes), op.ints(cut))
        return [self._joined(op, a, b)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b = bottoms
        rank = len(a.shape)
        for axis in range(2, rank):
            n, m = op.number(a.shape[axis]), op.number(b.shape[axis])
            b = b if n == m else part(op, b, rank, axis, (m - n) // 2, (m - n) // 2 + n)
        return [self._joined(op, a, b)]

    def _joined(self, op: Any, a: Tensor, b: Tensor) -> Tensor:
        first, second = (x if goes else op("Mul", x, op.const(0.0)) for x, goes in zip((a, b), self.goes, strict=True))
        joined: Tensor = op("Add", first, second) if self.adds else op("Concat", first, second, axis=1)
        return joined

    def reach(self, bottoms: Shapes) -> Reaches:
        a, b = bottoms
        return [[SAME] * (len(a) - 2), [self._axis_reach(n, m) for n, m in zip(a[2:], b[2:], strict=True)]]

    @staticmethod
    def _axis_reach(n: Size, m: Size) -> Reach:
        start = (m - n) // 2
        return Reach(1, start, start) if isinstance(start, int) else Reach(1, None, None)
