"""Accuracy: the share of items whose label is among the highest scores."""

from collections.abc import Sequence

import numpy as np

from ..errors import NetsurgeryError
from .caffe2.losses import at_least_one, count, keep_labels, labels, pick, places, total
from .caffe2.operators import cast
from .core import Arrays, Dim, LayerType, Message, Op, Params, Reaches, ShapeError, Shapes, Tensor, Tensors, product
from .core.aliases import Rng, Sample, Sizes
from .shared.emission import emit_range, reduce


class Accuracy(LayerType):
    """y = share of labels l for which at most `top_k` (1) scores are >= score[l]: an equal score counts as better.

    Labels equal to `ignore_label` do not count. The second top has the share of each class (0 for a class without labels).

    Shapes: scores (.., C at `axis` (1), ..), labels of as many numbers as there are score vectors -> (), (C).
    Source: accuracy_layer.cpp
    """

    types = ("Accuracy",)
    choices = (0, 1)
    scope = "channels"
    has_labels = True
    bottoms = (2, 2)
    tops = (1, 2)
    training_only = True

    def read(self, p: Params) -> None:
        q = p.message("accuracy_param")
        self.top_k = q.get_int("top_k")
        self.along = q.get_int("axis")
        self.ignored = q.get_int("ignore_label", 0) if q.has("ignore_label") else None

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, labels = bottoms
        axis = self.axis(self.along, len(x))
        self.require(product(labels), product((*x[:axis], *x[axis + 1 :])), "number of labels")
        classes = x[axis]
        if isinstance(classes, int) and self.top_k > classes:
            raise ShapeError(f"top_k is {self.top_k} of {classes} classes", layer=self, expected=f"at most {classes}")
        return [(), (classes,)][: self.top_count]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = np.moveaxis(bottoms[0], self.along, -1)
        labels = bottoms[1].astype(np.int64).reshape(x.shape[:-1])
        counts = np.ones(labels.shape, bool) if self.ignored is None else labels != self.ignored
        x, labels = x[counts], labels[counts]
        classes = x.shape[-1]
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise NetsurgeryError(
                f"labels from {labels.min()} to {labels.max()}", layer=self, expected=f"0 to {classes - 1}"
            )
        hit = (x >= np.take_along_axis(x, labels[:, None], -1)).sum(-1) <= self.top_k
        of_class = np.bincount(labels, minlength=classes)
        hits = np.bincount(labels[hit], minlength=classes)
        share = np.asarray(hit.sum() / max(hit.size, 1), x.dtype)
        return [share, (hits / np.maximum(of_class, 1)).astype(x.dtype)][: self.top_count]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        rank = len(x.shape)
        axis = self.axis(self.along, rank)
        others = [i for i in range(rank) if i != axis]
        parts = [1 if i == axis else -1 if i == others[0] else op.size(x, i) for i in range(rank)]
        labels = op("Cast", op.reshape(bottoms[1], *parts), to=7)
        counts: Tensor | None = None  # 1 for labels that count, if not all do
        if self.ignored is not None:
            counted = op("Not", op("Equal", labels, op.const(self.ignored, "int64")))
            labels = op("Where", counted, labels, op.const(0, "int64"))
            counts = op("Cast", counted, to=1)
        own = op("GatherElements", x, labels, axis=axis)
        better = op("Cast", op("Or", op("Greater", x, own), op("Equal", x, own)), to=1)
        hit = op("Less", reduce(op, "ReduceSum", better, [axis], keep=True), op.const(self.top_k + 0.5))
        hit = op("Cast", hit, to=1)
        if counts is not None:
            hit = op("Mul", hit, counts)
        tops = [self._share(op, hit, counts, empty=any(isinstance(n, Dim) and n.by_data for n in x.shape))]
        if self.top_count > 1:
            tops.append(self._by_class(op, hit, labels, counts, op.size(x, axis), axis, others))
        return tops

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        axis = self.axis(self.along, len(x.shape))
        classes, rows = op.size(x, axis), places(op, x, axis)
        index, counts = keep_labels(op, labels(op, bottoms[1]), self.ignored)
        score = op.reshape(pick(op, rows, index, classes), -1, 1)
        better = op("ReduceSum", cast(op, op("GE", rows, score), "float"), axes=(1,), keepdims=0)
        hit = cast(op, op("LE", better, op.const(float(self.top_k))), "float")
        hit = hit if counts is None else op("Mul", hit, counts)
        number = total(op, counts, 1) if counts is not None else count(op, bottoms[1], range(len(bottoms[1].shape)))
        tops = [op("Div", total(op, hit, 1), at_least_one(op, number))]
        if self.top_count > 1:
            member = op("OneHot", index, classes)
            member = member if counts is None else op("Mul", member, op.reshape(counts, -1, 1))
            hits = op("ReduceSum", op("Mul", member, op.reshape(hit, -1, 1)), axes=(0,), keepdims=0)
            tops.append(op("Div", hits, at_least_one(op, op("ReduceSum", member, axes=(0,), keepdims=0))))
        return tops

    @staticmethod
    def _share(op: Op, hit: Tensor, counts: Tensor | None, empty: bool) -> Tensor:
        if counts is None and not empty:
            return op("ReduceMean", hit, keepdims=0)
        total = op("Cast", op("Size", hit), to=1) if counts is None else op("ReduceSum", counts, keepdims=0)
        return op("Div", op("ReduceSum", hit, keepdims=0), op("Max", total, op.const(1)))

    @staticmethod
    def _by_class(
        op: Op, hit: Tensor, labels: Tensor, counts: Tensor | None, size: Tensor, axis: int, others: Sequence[int]
    ) -> Tensor:
        classes = emit_range(op, size)
        classes = op.reshape(classes, -1, [1] * sum(i > axis for i in others))
        member = op("Cast", op("Equal", labels, classes), to=1)
        if counts is not None:
            member = op("Mul", member, counts)
        hits = op("Mul", member, hit)
        if others:
            member, hits = reduce(op, "ReduceSum", member, others), reduce(op, "ReduceSum", hits, others)
        return op("Div", hits, op("Max", member, op.const(1)))

    def reach(self, bottoms: Shapes) -> Reaches:
        return [(), ()]

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "accuracy_param", self.along, len(bottoms[0]))

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, shapes[0][self.along], shapes[1]) if index == 1 else None
