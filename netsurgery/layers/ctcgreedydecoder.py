"""CTCGreedyDecoder: the labels that a sequence of class scores spells."""

import numpy as np

from .caffe2.operators import cast, like, part, refuse
from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Tensors
from .shared.emission import reduce


class CTCGreedyDecoder(LayerType):
    """k[t] = the first greatest class at step t; y = the k[t] that are not `blank_index` (negative: the last class) and, with
    `ctc_merge_repeated`, not k[t - 1], in order from the first place on; -1 behind them.

    A second bottom are sequence indicators: stream n ends before the first step t > 0 where it is 0. A second top is then the sum of the
    greatest scores up to there, below zero. (caffe_ocr's second bottom are labels, by which it scores: they have another shape.)

    Shapes: (T, N, C), indicators (T, N) -> (N, T, 1, 1), (N, 1, 1, 1).
    Source: ctc_decoder_layer.cpp of senlinuc/caffe_ocr, and of jpuigcerver's pull request, which OpenVINO's nets use
    """

    types = ("CTCGreedyDecoder",)
    bottoms = (1, 2)
    tops = (1, 2)
    choices = (0,)

    def read(self, p: Params) -> None:
        q = p.message("ctc_decoder_param")
        self.blank, self.merge = q.get_int("blank_index"), q.get_bool("ctc_merge_repeated")
        if self.top_count > self.bottom_count:
            raise ShapeError("2 tops of 1 bottom", layer=self, expected="1 top")

    def shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        self.rank(x, 3)
        for going in bottoms[1:]:
            self.rank(going, 2, "the second bottom")
            self.require(going[0], x[0], "time steps of the second bottom")
            self.require(going[1], x[1], "streams of the second bottom")
        return [(x[1], x[0], 1, 1), (x[1], 1, 1, 1)][: len(bottoms)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        best = x.argmax(axis=2)
        spelt = best != (self.blank if self.blank >= 0 else x.shape[2] - 1)
        if self.merge:
            spelt[1:] &= best[1:] != best[:-1]
        going = np.ones(best.shape, bool)
        if len(bottoms) == 2:
            going[1:] = np.logical_and.accumulate(bottoms[1][1:] != 0, axis=0)
            spelt &= going
        y = np.full((x.shape[1], x.shape[0]), -1, x.dtype)
        steps, streams = np.nonzero(spelt)
        y[streams, (spelt.cumsum(axis=0) - 1)[steps, streams]] = best[steps, streams]
        score = -(x.max(axis=2) * going).sum(axis=0)
        return [y[:, :, None, None], score[:, None, None, None]][: len(bottoms)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        steps = op.size(x, 0)
        best = op("Transpose", op("ArgMax", x, axis=2, keepdims=0), perm=(1, 0))
        blank = op.ints(self.blank) if self.blank >= 0 else op("Sub", op.size(x, 2), op.ints(1))
        skip = op("Equal", best, blank)
        if self.merge:
            before = op("Pad", best, op.ints(0, 1, 0, -1), op.const(-1, "int64"))
            skip = op("Or", skip, op("Equal", best, before))
        tops = []
        if len(bottoms) == 2:
            ends = op("Cast", op("Equal", bottoms[1], op.const(0.0)), to=7)
            ends = op("Pad", op("Slice", ends, op.ints(1), op.ints(2**62), op.ints(0)), op.ints(1, 0, 0, 0))
            over = op("Greater", op("CumSum", ends, op.const(0, "int64")), op.const(0, "int64"))
            skip = op("Or", skip, op("Transpose", over, perm=(1, 0)))
            great = op("Where", over, op.const(0.0), reduce(op, "ReduceMax", x, (2,)))
            tops = [op("Unsqueeze", op("Neg", op("ReduceSum", great, op.ints(0), keepdims=0)), op.ints(1, 2, 3))]
        # rank the steps that spell: the earliest has the greatest key, those that spell nothing have 0
        down = op("Range", op("Squeeze", steps), op.const(0, "int64"), op.const(-1, "int64"))
        keys = op("Where", skip, op.const(0, "int64"), down)
        keys, order = op.many(2, "TopK", keys, steps, axis=1)
        spelt = op("GatherElements", best, order, axis=1)
        y = op("Where", op("Greater", keys, op.const(0, "int64")), spelt, op.const(-1, "int64"))
        return [op("Cast", op("Unsqueeze", y, op.ints(2, 3)), to=1), *tops]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        if len(bottoms) == 2:
            raise refuse(self, "sequence indicators", expected="one bottom")
        (x,) = bottoms
        steps = op.number(x.shape[0])
        best = op("Transpose", op("ArgMax", x, axis=2, keepdims=0), axes=(1, 0))  # (N, T)
        blank = op.ints(self.blank) if self.blank >= 0 else op("Sub", op.size(x, 2), op.ints(1))
        skip = op("EQ", best, blank)
        if self.merge:
            none = op("Sub", op("Mul", part(op, best, 2, 1, 0, 1), op.ints(0)), op.ints(1))
            before = op("Concat", none, part(op, best, 2, 1, 0, -2), axis=1) if steps > 1 else none
            skip = op("Or", skip, op("EQ", best, before))
        # rank the steps that spell: the earliest has the greatest key, those that spell nothing have 0
        keys = op("Mul", cast(op, op("Not", skip), "float"), op.const(np.arange(steps, 0, -1)))
        keys, order = op.many(2, "TopK", keys, k=steps, axis=1)
        row = op("Mul", op.reshape(op("Range", op.size(x, 1)), -1, 1), op.ints(steps))
        spelt = cast(op, op("Gather", op.reshape(best, -1), op("Add", order, row)), "float")
        y = op("Where", op("GT", keys, op.const(0.0)), spelt, like(op, spelt, -1))
        return [op("ExpandDims", y, dims=(2, 3))]
