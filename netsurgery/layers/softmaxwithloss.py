"""SoftmaxWithLoss: softmax and the negative logarithm of the class's share."""

from math import inf

import numpy as np

from .caffe2.losses import divide, keep_labels, labels, pick, places, total
from .caffe2.operators import cast, like, softmax
from .core import Arrays, Message, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.losses import Loss, LossParam, emit_labels

FLT_MIN = float(np.finfo(np.float32).tiny)


class SoftmaxWithLoss(Loss):
    """y = -sum over places of log max(p[label], FLT_MIN) / divisor, p = softmax of x along the axis of softmax_param.

    Places whose label is `ignore_label` count for nothing. The divisor, at least 1, is the number of places that count
    (`normalization: VALID`, the default), of all places (FULL), the sizes before the axis (BATCH_SIZE), or 1 (NONE).
    A second top is p.

    Shapes: x (N, C, ...) and labels, one per place: (N, ...) or (N, 1, ...) -> (), the shape of x.
    Source: softmax_loss_layer.cpp
    """

    types = ("SoftmaxWithLoss",)
    scope = "channels"
    tops = (0, 2)

    def read(self, p: Params) -> None:
        self.along = p.message("softmax_param").get_int("axis")
        self.loss = LossParam.read(p.message("loss_param"), "VALID")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        x, label = bottoms
        axis = self.axis(self.along, len(x))
        self.require(product(label), product(x[:axis]) * product(x[axis + 1 :]), "labels")
        return [(), x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, label = bottoms
        axis = self.along % x.ndim
        outer = int(np.prod(x.shape[:axis]))
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        p = e / e.sum(axis=axis, keepdims=True)
        places = np.moveaxis(p.reshape(outer, x.shape[axis], -1), 1, 2)
        index = label.astype(np.int64).reshape(places.shape[:2])
        counts = index != self.loss.ignore_label if self.loss.ignore_label is not None else np.full(index.shape, True)
        chosen = places[counts]
        shares = chosen[np.arange(len(chosen)), self.classes(index[counts], x.shape[axis])]
        divisor = self.loss.divisor(outer, places.shape[1], len(chosen))
        return [-np.log(np.maximum(shares, x.dtype.type(FLT_MIN))).sum() / x.dtype.type(divisor), p]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label = bottoms
        axis = self.along % len(x.shape)
        p = op("Softmax", x, axis=axis)
        index, counts, ignored = emit_labels(op, label, x, axis), None, self.loss.ignore_label
        if ignored is not None:
            skip = op("Equal", index, op.const(ignored, "int64"))
            index = op("Where", skip, op.const(0, "int64"), index)  # it may be no class, as 255 is not
            counts = op("Cast", op("Not", skip), to=1)
        logs = op("Log", op("Max", op("GatherElements", p, index, axis=axis), op.const(FLT_MIN)))
        if ignored is not None:
            logs = op("Where", skip, op.const(0.0), logs)  # not a product: the place may be NaN
        total = op("Neg", op("ReduceSum", logs, keepdims=0))
        return [self.loss.emit_division(op, total, counts, x, axis), p]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label = bottoms
        axis = self.along % len(x.shape)
        p = softmax(op, x, len(x.shape), axis)
        index, counts = keep_labels(op, labels(op, label), self.loss.ignore_label)
        logs = op("Log", op("Clip", pick(op, places(op, p, axis), index, op.size(x, axis)), min=FLT_MIN, max=inf))
        if counts is not None:
            logs = op("Where", cast(op, counts, "bool"), logs, like(op, logs, 0))
        return [divide(op, self.loss, op("Negative", total(op, logs, 1)), counts, x, axis), p]

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "softmax_param", self.along, len(bottoms[0]))

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, shapes[0][self.along], shapes[1]) if index == 1 else None

    def prediction(self, params: Message) -> tuple[str, Message] | None:
        fields = tuple(f for f in params.fields if f.name == "softmax_param")
        return "Softmax", Message("LayerParameter", fields)
