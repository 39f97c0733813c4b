"""The Python layer rpn.proposal_layer.ProposalLayer of R-C3D: windows of time."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors, by_data
from .shared.emission import emit_range
from .shared.faster_rcnn import FasterRcnnProposals
from .shared.python_layers import settings, size, sizes

BASE = 8
LEAST = 8.0
USUAL = list(range(1, 64))


class WindowProposals(FasterRcnnProposals):
    """For each position l and each scale k, a window (start, end) of 8 k frames about stride * l + 3.5; its length is end - start + 1, its
    centre start + length / 2. dx and dw move it as they do boxes, it is cut to 0 .. stride * L - 1; those of fewer than 8 frames
    go; then as for boxes, with the common length over that of both.

    Shapes: one video; scores (1, 2 A, L, 1, 1), deltas (1, 2 A, L, 1, 1) -> (R, 3): 0, start, end, and (R, 1).
    Source: VisionLearningGroup/R-C3D, lib/rpn/proposal_layer.py
    """

    types = ()
    bottoms = (2, 2)
    info_at = -1

    def read(self, p: Params) -> None:
        values = settings(p, self.title, "feat_stride", "scales")
        self.stride, scales = size(p, values, "feat_stride"), sizes(p, values, "scales", USUAL)
        half = np.array([(BASE * s - 1) / 2 for s in scales])
        self.windows = np.stack([(BASE - 1) / 2 - half, (BASE - 1) / 2 + half], axis=1).astype(np.float32)

    def shapes(self, bottoms: Shapes) -> Shapes:
        for bottom, name in zip(bottoms, ("scores", "deltas"), strict=True):
            self.rank(bottom, 5, name)
            self.require(bottom[0], 1, "batch", fix="one video at a time: the layer takes no more")
            self.require(bottom[1], 2 * len(self.windows), f"channels of {name}")
            self.require(bottom[2], bottoms[0][2], f"length of {name}")
            for axis, what in ((3, "height"), (4, "width")):
                self.require(bottom[axis], 1, f"{what} of {name}")
        count = by_data(self.name, "regions")
        return [(count, 3), (count, 1)][: self.top_count]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, length = len(self.windows), bottoms[0].shape[2]
        d = bottoms[1].reshape(a, 2, length).transpose(2, 0, 1)  # (L, A, 2)
        start, end = (
            (self.windows + (np.arange(length) * self.stride)[:, None, None]).astype(d.dtype).transpose(2, 0, 1)
        )
        span = end - start + 1
        centre, half = d[..., 0] * span + (start + span / 2), np.exp(d[..., 1]) * span / 2
        last = length * self.stride - 1
        low, high = (x.clip(0, last).ravel() for x in (centre - half, centre + half))
        score, order = self.ranked(bottoms[0][0, a:, :, 0, 0].T.ravel(), high - low + 1 >= LEAST)
        flat = np.zeros_like(low)
        survivors = order[self.survivors(np.stack([low, flat, high, flat], axis=1)[order])]
        rows = np.stack([flat[survivors], low[survivors], high[survivors]], axis=1)
        return [rows, score[survivors, None]][: self.top_count]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, length = len(self.windows), op.size(bottoms[0], 2)
        score = op("Slice", op.reshape(bottoms[0], 2 * a, -1), op.ints(a), op.ints(2 * a), op.ints(0))
        score = op.reshape(op("Transpose", score, perm=(1, 0)), -1)
        d = op("Transpose", op.reshape(bottoms[1], a, 2, -1), perm=(1, 2, 0))  # (2, L, A)
        shift, growth = op.many(2, "Split", d, op.ints(1, 1), axis=0)
        span = self.windows[:, 1] - self.windows[:, 0] + 1
        at = emit_range(op, length)
        at = op("Mul", op("Cast", op.reshape(at, -1, 1), to=1), op.const(self.stride))
        centre = op("Add", op("Mul", shift, span), op("Add", at, self.windows[:, 0] + span / 2))
        half = op("Mul", op("Exp", growth), span / 2)
        last = op("Sub", op("Mul", op("Cast", length, to=1), op.const(self.stride)), op.const(1))
        low, high = (
            op.reshape(op("Max", op("Min", op(way, centre, half), last), op.const(0)), -1, 1) for way in ("Sub", "Add")
        )
        large = op.reshape(op("GreaterOrEqual", op("Add", op("Sub", high, low), op.const(1)), op.const(LEAST)), -1)
        flat = op("Sub", low, low)
        boxes = op("Concat", low, flat, high, flat, axis=1)
        rows, best = self.emit_tops(op, boxes, score, large, by_data(self.name, "windows"))
        return [op("Gather", rows, op.ints(0, 1, 3), axis=1), best]

    emit_caffe2 = LayerType.emit_caffe2  # there is none
