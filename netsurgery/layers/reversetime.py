"""ReverseTime: turns sequences around, each up to its length."""

import numpy as np

from .caffe2.operators import cast
from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors
from .shared.emission import emit_range


class ReverseTime(LayerType):
    """y[t, n] = x[k - 1 - t, n] for t < k = length[n]; behind it x with `copy_remaining`, else 0 (the forks leave what is in memory).

    Shapes: x (T, N, ...), lengths (N) -> the shape of x.
    Source: reverse_time_layer.cpp of senlinuc/caffe_ocr
    """

    types = ("ReverseTime",)
    bottoms = (2, 2)

    def read(self, p: Params) -> None:
        self.copy_remaining = p.message("reverse_time_param").get_bool("copy_remaining")

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, length = bottoms
        if len(x) < 2:
            self.rank(x, 2)
        self.rank(length, 1, "bottom 1")
        self.require(length[0], x[1], "lengths (bottom 1), one for each stream")
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        length = bottoms[1].astype(np.int64)
        t = np.arange(x.shape[0])[:, None]
        inside = t < length
        source = np.where(inside, length - 1 - t, t).clip(0, x.shape[0] - 1)
        y = x[source, np.arange(x.shape[1])]
        if not self.copy_remaining:
            y[~inside] = 0
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, length = bottoms
        length = op("Cast", length, to=7)
        y = op("ReverseSequence", x, length, time_axis=0, batch_axis=1)
        if self.copy_remaining:
            return [y]
        steps = emit_range(op, op.size(x, 0))
        inside = op("Less", op("Unsqueeze", steps, op.ints(1)), length)
        if len(x.shape) > 2:
            inside = op("Unsqueeze", inside, op.ints(*range(2, len(x.shape))))
        return [op("Where", inside, y, op.const(0.0))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, length = bottoms
        n, rank = op.size(x, 1), len(x.shape)
        length = op.reshape(cast(op, length, "int64"), 1, -1)
        t = op.reshape(op("Range", op.size(x, 0)), -1, 1)
        inside = cast(op, op("LT", t, length), "int64")  # (T, N)
        back = op("Sub", op("Sub", length, op.ints(1)), op("Add", t, t))
        source = op("Add", t, op("Mul", inside, back))  # length - 1 - t inside, t behind
        at = op("Add", op("Mul", source, n), op("Range", n))
        items = op.reshape(x, op("Mul", op.size(x, 0), n), *(op.size(x, i) for i in range(2, rank)))
        y = op("Gather", items, at, axis=0)
        if self.copy_remaining:
            return [y]
        mask = op.reshape(cast(op, inside, "float"), 0, 0, [1] * (rank - 2))
        return [op("Mul", y, mask)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(1, shapes[0][0] + 1, shapes[1]) if index == 1 else None
