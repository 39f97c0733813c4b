"""MultinomialLogisticLoss: the negative logarithm of the class's probability."""

from math import inf, prod

import numpy as np

from .caffe2.losses import count, items, labels, pick, total
from .core import Arrays, Op, Rng, Sample, Shapes, Sizes, Tensors
from .shared.losses import SMALLEST_PROBABILITY, Loss, emit_count, emit_labels, emit_mean, emit_rows


class MultinomialLogisticLoss(Loss):
    """y = -sum log max(p[n, label n], 1e-20) / N

    Shapes: probabilities (N, ...) and labels (N) or (N, 1, 1, 1) -> ().
    Source: multinomial_logistic_loss_layer.cpp
    """

    types = ("MultinomialLogisticLoss",)
    mixes = "takes one label for each item, not for each position"

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        self.four(bottoms[0], "bottom 0")
        for size, what in zip(self.four(bottoms[1], "bottom 1")[1:], ("channels", "height", "width"), strict=True):
            self.require(size, 1, f"{what} of bottom 1")
        return [()]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        n = len(bottoms[0])
        rows = bottoms[0].reshape(n, -1)
        p = rows[np.arange(n), self.classes(bottoms[1].reshape(n), rows.shape[1])]
        return [-np.log(np.maximum(p, p.dtype.type(SMALLEST_PROBABILITY))).sum() / p.dtype.type(n)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        rows = emit_rows(op, bottoms[0])
        p = op("GatherElements", rows, emit_labels(op, bottoms[1], rows, 1), axis=1)
        total = op("ReduceSum", op("Log", op("Max", p, op.const(SMALLEST_PROBABILITY))), keepdims=0)
        return [op("Neg", emit_mean(op, total, emit_count(op, bottoms[0], [0])))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        rows = items(op, bottoms[0])
        p = pick(op, rows, labels(op, bottoms[1]), op.size(rows, 1))
        sum_of = total(op, op("Log", op("Clip", p, min=SMALLEST_PROBABILITY, max=inf)), 1)
        return [op("Negative", op("Div", sum_of, count(op, bottoms[0], [0])))]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.uniform(0, 1, shapes[0]) if index == 0 else rng.integers(0, prod(shapes[0][1:]), shapes[1])
