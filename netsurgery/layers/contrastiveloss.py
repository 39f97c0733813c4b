"""ContrastiveLoss: draws similar pairs together and pushes others apart, up to a margin."""

import numpy as np

from .caffe2.losses import count, items, labels, total
from .caffe2.operators import cast
from .core import Arrays, Op, Params, Rng, Sample, Shapes, Sizes, Tensors
from .shared.losses import Loss, emit_count, emit_mean, emit_rows


class ContrastiveLoss(Loss):
    """y = sum over pairs of (s ? D^2 : max(margin - D, 0)^2) / (2 N), D being the distance of a and b;
    with `legacy_version` max(margin - D^2, 0) for pairs that are not similar.

    Shapes: a and b (N, C) or (N, C, 1, 1), s (N) -> ().
    Source: contrastive_loss_layer.cpp
    """

    types = ("ContrastiveLoss",)
    mixes = "compares one vector for each item, not for each position"
    bottoms = (3, 3)
    judged = 2

    def read(self, p: Params) -> None:
        q = p.message("contrastive_loss_param")
        self.margin = q.get_float("margin")
        self.legacy = q.get_bool("legacy_version")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        (n, c, *_), (_, d, *_), (pairs, *_) = fours = [self.four(b, f"bottom {i}") for i, b in enumerate(bottoms)]
        self.require(d, c, "channels of bottom 1")
        for i, (_, _, h, w) in enumerate(fours):
            self.require(h, 1, f"height of bottom {i}")
            self.require(w, 1, f"width of bottom {i}")
        self.require(fours[2][1], 1, "channels of bottom 2")
        self.require(pairs, n, "pairs of bottom 2")
        return [()]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, b, similar = bottoms
        n = len(a)
        squares = np.square(a.reshape(n, -1) - b.reshape(n, -1)).sum(axis=1)
        margin = a.dtype.type(self.margin)
        apart = np.maximum(margin - squares, 0) if self.legacy else np.square(np.maximum(margin - np.sqrt(squares), 0))
        pairs = np.where(similar.reshape(n).astype(np.int64) != 0, squares, apart)
        return [pairs.sum() / a.dtype.type(n) / 2]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b = bottoms[:2]
        difference = op("Sub", emit_rows(op, a), emit_rows(op, b))
        squares = op("ReduceSum", op("Mul", difference, difference), op.ints(1), keepdims=0)
        distance = squares if self.legacy else op("Sqrt", squares)
        apart = op("Relu", op("Sub", op.const(self.margin), distance))
        if not self.legacy:
            apart = op("Mul", apart, apart)
        similar = op("Cast", op("Cast", bottoms[2], to=6), to=9)  # as Caffe: cut to a whole number, then 0 or not
        if len(bottoms[2].shape) != 1:
            similar = op.reshape(similar, -1)
        total = op("ReduceSum", op("Where", similar, squares, apart), keepdims=0)
        return [emit_mean(op, total, op("Mul", emit_count(op, a, [0]), op.const(2.0)))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b = (items(op, x) for x in bottoms[:2])
        squares = op("ReduceSum", op("Sqr", op("Sub", a, b)), axes=(1,), keepdims=0)
        margin = op.const(self.margin)
        if self.legacy:
            apart = op("Relu", op("Sub", margin, squares))
        else:
            apart = op("Sqr", op("Relu", op("Sub", margin, op("Sqrt", squares))))
        similar = cast(op, labels(op, bottoms[2]), "bool")
        number = op("Mul", count(op, bottoms[0], [0]), op.const(2.0))
        return [op("Div", total(op, op("Where", similar, squares, apart), 1), number)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, 2, shapes[2]) if index == 2 else None
