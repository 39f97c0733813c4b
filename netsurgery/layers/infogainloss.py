"""InfogainLoss: softmax and the logarithms of all shares, weighed by a row of a matrix."""

from math import inf

import numpy as np

from .caffe2.losses import divide, keep_labels, labels, places, total
from .caffe2.operators import cast, like, softmax
from .core import Arrays, Field, Message, Op, Params, Rng, Sample, ShapeError, Shapes, Sizes, Tensors, product
from .shared.losses import SMALLEST_PROBABILITY, Loss, LossParam, emit_labels


class InfogainLoss(Loss):
    """y = -sum over places, k of H[label, k] log max(p[k], 1e-20) / divisor, p = softmax of x along `axis` (1).

    H is the third bottom. Ignored labels and the divisor are SoftmaxWithLoss's; a second top is p.

    Shapes: x (N, C, ...), labels (N, ...) or (N, 1, ...), H of C * C values -> (), the shape of x.
    Source: infogain_loss_layer.cpp
    """

    types = ("InfogainLoss",)
    scope = "channels"
    bottoms = (2, 3)
    tops = (0, 2)
    note = "by formula; with softmax inside, as Caffe since 2016; the matrix is the third bottom, not a file"

    def read(self, p: Params) -> None:
        q = p.message("infogain_loss_param")
        self.along = q.get_int("axis")
        if self.bottom_count < 3 and not q.has("source"):
            raise ShapeError(
                "has no matrix",
                layer=self,
                expected="the matrix as the third bottom",
                fix="add an Input of C * C values as third bottom, and feed the matrix",
            )
        if q.has("source"):
            raise q.refuse(
                "source",
                f"the matrix is read from a file: {q.get_str('source')}",
                expected="the matrix as the third bottom",
                fix="add an Input of C * C values as third bottom, and feed the matrix",
            )
        loss = p.message("loss_param")
        if loss.has("normalize"):
            raise loss.refuse("normalize", "normalize is refused by Caffe here", expected="normalization")
        self.loss = LossParam.read(loss, "VALID")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        x, label, matrix = bottoms
        axis = self.axis(self.along, len(x))
        self.require(product(label), product(x[:axis]) * product(x[axis + 1 :]), "labels")
        self.require(product(matrix), x[axis] * x[axis], "values of the matrix (bottom 2)")
        return [(), x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, label, matrix = bottoms
        axis = self.along % x.ndim
        outer, classes = int(np.prod(x.shape[:axis])), x.shape[axis]
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        p = e / e.sum(axis=axis, keepdims=True)
        places = np.moveaxis(p.reshape(outer, classes, -1), 1, 2)
        index = label.astype(np.int64).reshape(places.shape[:2])
        counts = index != self.loss.ignore_label if self.loss.ignore_label is not None else np.full(index.shape, True)
        rows = matrix.reshape(classes, classes)[self.classes(index[counts], classes)]
        logs = np.log(np.maximum(places[counts], x.dtype.type(SMALLEST_PROBABILITY)))
        return [-(rows * logs).sum() / x.dtype.type(self.loss.divisor(outer, places.shape[1], len(rows))), p]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label, matrix = bottoms
        rank = len(x.shape)
        axis = self.along % rank
        p = op("Softmax", x, axis=axis)
        logs = op("Log", op("Max", p, op.const(SMALLEST_PROBABILITY)))
        index, counts, ignored = emit_labels(op, label, x, axis), None, self.loss.ignore_label
        if ignored is not None:
            skip = op("Equal", index, op.const(ignored, "int64"))
            index = op("Where", skip, op.const(0, "int64"), index)
            counts = op("Cast", op("Not", skip), to=1)
        if len(matrix.shape) != 2:
            matrix = op.reshape(matrix, op.size(x, axis), op.size(x, axis))
        rows = op("Gather", matrix, op("Squeeze", index, op.ints(axis)), axis=0)  # the classes stand last
        if axis != rank - 1:
            rows = op("Transpose", rows, perm=(*range(axis), rank - 1, *range(axis, rank - 1)))
        terms = op("Mul", rows, logs)
        if ignored is not None:
            terms = op("Where", skip, op.const(0.0), terms)
        total = op("Neg", op("ReduceSum", terms, keepdims=0))
        return [self.loss.emit_division(op, total, counts, x, axis), p]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label, matrix = bottoms
        axis = self.along % len(x.shape)
        p = softmax(op, x, len(x.shape), axis)
        logs = op("Log", op("Clip", places(op, p, axis), min=SMALLEST_PROBABILITY, max=inf))
        index, counts = keep_labels(op, labels(op, label), self.loss.ignore_label)
        classes = op.size(x, axis)
        rows = op("Gather", op.reshape(matrix, classes, classes), index, axis=0)
        terms = op("ReduceSum", op("Mul", rows, logs), axes=(1,), keepdims=0)
        if counts is not None:
            terms = op("Where", cast(op, counts, "bool"), terms, like(op, terms, 0))
        return [divide(op, self.loss, op("Negative", total(op, terms, 1)), counts, x, axis), p]

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "infogain_loss_param", self.along, len(bottoms[0]))

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 1:
            return rng.integers(0, shapes[0][self.along], shapes[1])
        return rng.uniform(0, 1, shapes[2]) if index == 2 else None

    def prediction(self, params: Message) -> tuple[str, Message] | None:
        axis = Field("softmax_param", Message("SoftmaxParameter", (Field("axis", self.along),)))
        return "Softmax", Message("LayerParameter", (axis,) if self.along != 1 else ())
