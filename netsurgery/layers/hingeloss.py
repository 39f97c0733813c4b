"""HingeLoss: one-vs-all margins."""

from math import prod

import numpy as np

from .caffe2.losses import count, items, labels, total
from .caffe2.operators import part
from .core import Arrays, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.emission import emit_range, magnitude
from .shared.losses import Loss, emit_count, emit_mean, emit_rows


class HingeLoss(Loss):
    """y = sum over n, k of max(0, 1 - s x[n, k])^p / N, s being 1 for the item's class and -1 for others.

    p is 1 (`norm: L1`) or 2 (`norm: L2`).

    Shapes: (N, ...) and labels (N, ...), of which the first N count -> ().
    Source: hinge_loss_layer.cpp
    """

    types = ("HingeLoss",)
    mixes = "takes one label for each item, not for each position"

    def read(self, p: Params) -> None:
        self.squared = p.message("hinge_loss_param").get_str("norm") == "L2"

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        self.four(bottoms[0], "bottom 0")
        return [()]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, label = bottoms
        n = len(x)
        margins = x.reshape(n, -1).copy()
        margins[np.arange(n), self.classes(label.ravel()[:n], margins.shape[1])] *= -1
        margins = np.fmax(1 + margins, 0)  # NaN gives 0 there too
        return [(np.square(margins) if self.squared else margins).sum() / x.dtype.type(n)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label = bottoms
        rows = emit_rows(op, x)
        index = op("Cast", label, to=7)
        if len(label.shape) != 1:
            index = op.reshape(index, -1)
            if product(label.shape) != x.shape[0]:
                index = op("Slice", index, op.ints(0), op.size(x, 0), op.ints(0))
        every = emit_range(op, op.size(rows, 1))
        own = op("Equal", op("Unsqueeze", index, op.ints(1)), every)  # some runtimes have no OneHot
        signs = op("Where", own, op.const(-1.0), op.const(1.0))
        margins = op("Relu", op("Add", op("Mul", rows, signs), op.const(1.0)))
        total = magnitude(op, margins) if self.squared else op("ReduceSum", margins, keepdims=0)
        return [emit_mean(op, total, emit_count(op, x, [0]))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label = bottoms
        rows, index = items(op, x), labels(op, label)
        if product(label.shape) != x.shape[0]:
            index = part(op, index, 1, 0, op.ints(0), op.size(x, 0))
        signs = op("Sub", op.const(1.0), op("Mul", op("OneHot", index, op.size(rows, 1)), op.const(2.0)))
        margins = op("Relu", op("Add", op("Mul", rows, signs), op.const(1.0)))
        margins = op("Sqr", margins) if self.squared else margins
        return [op("Div", total(op, margins, 2), count(op, x, [0]))]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, prod(shapes[0][1:]), shapes[1]) if index == 1 else None
