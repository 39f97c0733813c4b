"""SigmoidCrossEntropyLoss: cross-entropy of independent probabilities, from their logits."""

import numpy as np

from .caffe2.losses import alike, divide, total
from .caffe2.operators import cast, like
from .core import Arrays, Message, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.losses import Loss, LossParam, emit_alike


class SigmoidCrossEntropyLoss(Loss):
    """y = sum of x ((x >= 0) - t) + log(1 + exp(-|x|)) / divisor: -t log p - (1 - t) log(1 - p) with p = sigmoid(x).

    Targets that, cut to a whole number, are `ignore_label` count for nothing. The divisor, at least 1, is N
    (`normalization: BATCH_SIZE`, the default), the number of values that count (VALID) or of all (FULL), or 1 (NONE).

    Shapes: x and t (N, ...) of equal counts -> ().
    Source: sigmoid_cross_entropy_loss_layer.cpp
    """

    types = ("SigmoidCrossEntropyLoss",)
    scope = "channels"

    def read(self, p: Params) -> None:
        self.loss = LossParam.read(p.message("loss_param"), "BATCH_SIZE")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        self.require(product(bottoms[1][1:]), product(bottoms[0][1:]), "values per item of bottom 1")
        return [()]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, target = (b.ravel() for b in bottoms)
        if self.loss.ignore_label is not None:
            counts = target.astype(np.int64) != self.loss.ignore_label
            x, target = x[counts], target[counts]
        terms = x * ((x >= 0).astype(x.dtype) - target) + np.log1p(np.exp(-np.abs(x)))
        items = len(bottoms[0])
        divisor = self.loss.divisor(items, bottoms[0].size // max(items, 1), len(x))
        return [terms.sum() / x.dtype.type(divisor)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, target = emit_alike(op, *bottoms)
        zero = op.const(0.0)
        positive = op("Cast", op("Or", op("Greater", x, zero), op("Equal", x, zero)), to=1)
        terms = op("Add", op("Mul", x, op("Sub", positive, target)), op("Softplus", op("Neg", op("Abs", x))))
        counts = None
        if self.loss.ignore_label is not None:
            skip = op("Equal", op("Cast", target, to=7), op.const(self.loss.ignore_label, "int64"))
            terms = op("Where", skip, op.const(0.0), terms)
            counts = op("Cast", op("Not", skip), to=1)
        total = op("ReduceSum", terms, keepdims=0)
        return [self.loss.emit_division(op, total, counts, bottoms[0], 1, 1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x, target), rank = alike(op, *bottoms)
        positive = cast(op, op("GE", x, op.const(0.0)), "float")
        softplus = op("Softplus", op("Negative", op("Abs", x)))
        terms, counts = op("Add", op("Mul", x, op("Sub", positive, target)), softplus), None
        if self.loss.ignore_label is not None:
            keep = op("NE", cast(op, target, "int64"), op.const(self.loss.ignore_label, "int64"))
            terms, counts = op("Where", keep, terms, like(op, terms, 0)), op.reshape(cast(op, keep, "float"), -1)
        return [divide(op, self.loss, total(op, terms, rank), counts, bottoms[0], 1, 1)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.uniform(0, 1, shapes[1]) if index == 1 else None

    def prediction(self, params: Message) -> tuple[str, Message] | None:
        return "Sigmoid", Message("LayerParameter")
