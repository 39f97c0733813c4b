"""The Python layer layers.text_proposal_layer.ProposalLayer of CTPN: slices of lines of text."""

from math import prod

import numpy as np

from .caffe2.boxes import grid
from .caffe2.operators import expand, part
from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.boxes_onnx import emit_grid
from .shared.python_layers import settings, size

HEIGHTS = (11, 16, 23, 33, 48, 68, 97, 139, 198, 283)
A = len(HEIGHTS)
LOW = np.array([[int(7.5 - 8), int(7.5 - h // 2)] for h in HEIGHTS], np.float32)
HIGH = np.array([[int(7.5 + 8), int(7.5 + h // 2)] for h in HEIGHTS], np.float32)
"""Their corners lose their fractions."""


class TextProposal(LayerType):
    """For each cell and each of ten heights, a box 16 wide; its two deltas move and stretch it upright only:

        h = y2 - y1 + 1,  top = dy h + (y1 + y2) / 2 - exp(dh) h / 2,  bottom = top + exp(dh) h

    It is cut to the image. All are given, in the order of row, column, height.

    Shapes: one image; scores (1, 20, H, W), deltas (1, 20, H, W), im_info (1, 2 or more) -> (H W 10, 4), (H W 10, 1).
    Source: tianzhi0549/CTPN, src/layers/text_proposal_layer.py, src/anchor.py, src/other.py
    """

    types = ("Python:layers.text_proposal_layer.ProposalLayer",)
    bottoms = (3, 3)
    tops = (2, 2)
    columns = -1
    note = "of CTPN"

    def read(self, p: Params) -> None:
        self.stride = size(p, settings(p, self.title, "feat_stride"), "feat_stride")

    def shapes(self, bottoms: Shapes) -> Shapes:
        scores, deltas, info = bottoms
        for bottom, name in ((scores, "scores"), (deltas, "deltas")):
            self.rank(bottom, 4, name)
            self.require(bottom[0], 1, "batch", fix="one image at a time: the layer takes no more")
            self.require(bottom[1], 2 * A, f"channels of {name}")
        for i, what in ((2, "height"), (3, "width")):
            self.require(deltas[i], scores[i], f"{what} of deltas")
        self.require_least(product(info), 2, "numbers in im_info, at least")
        cells = product(scores[2:]) * A
        return [(cells, 4), (cells, 1)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        scores, deltas, info = bottoms
        h, w = scores.shape[2:]
        d = deltas[0].reshape(A, 2, h, w).transpose(2, 3, 0, 1)
        rows, columns = (np.arange(n, dtype=d.dtype) * self.stride for n in (h, w))
        y1, y2 = (rows[:, None, None] + edge[:, 1].astype(d.dtype) for edge in (LOW, HIGH))
        tall = y2 - y1 + 1
        stretched = np.exp(d[..., 1]) * tall
        top = d[..., 0] * tall + (y1 + y2) / 2 - stretched / 2
        x1, x2 = (np.broadcast_to(columns[:, None] + edge[:, 0].astype(d.dtype), top.shape) for edge in (LOW, HIGH))
        height, width = info.ravel()[:2]
        boxes = np.stack([x1, top, x2, top + stretched], axis=-1)
        boxes = np.maximum(np.minimum(boxes, np.array([width, height] * 2, d.dtype) - 1), 0)
        return [boxes.reshape(-1, 4), scores[0, A:].transpose(1, 2, 0).reshape(-1, 1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        scores, deltas, info = bottoms
        h, w = op.size(deltas, 2), op.size(deltas, 3)
        d = op("Transpose", op.reshape(deltas, A, 2, h, w), perm=(2, 3, 0, 1))
        shift, growth = op.many(2, "Split", d, op.ints(1, 1), axis=-1)
        x, y = op.many(2, "Split", op("Mul", emit_grid(op, w, h), op.const(self.stride)), op.ints(1, 1), axis=-1)
        tall = (HIGH - LOW)[:, 1:] + 1
        stretched = op("Mul", op("Exp", growth), tall)
        middle = op("Add", y, (LOW + HIGH)[:, 1:] / 2)
        top = op("Sub", op("Add", op("Mul", shift, tall), middle), op("Mul", stretched, op.const(0.5)))
        still = op("Mul", top, op.const(0))
        x1, x2 = (op("Add", op("Add", x, edge[:, :1]), still) for edge in (LOW, HIGH))
        edge = op("Sub", op("Gather", op.reshape(info, -1), op.ints(1, 0, 1, 0)), op.const(1))
        boxes = op("Concat", x1, top, x2, op("Add", top, stretched), axis=-1)
        boxes = op("Max", op("Min", boxes, edge), op.const(0))
        score = op("Slice", scores, op.ints(A), op.ints(2 * A), op.ints(1))
        return [op.reshape(boxes, -1, 4), op.reshape(op("Transpose", score, perm=(0, 2, 3, 1)), -1, 1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        scores, deltas, info = bottoms
        h, w = op.size(deltas, 2), op.size(deltas, 3)
        d = op("Transpose", op.reshape(deltas, A, 2, h, w), axes=(2, 3, 0, 1))
        shift, growth = op.many(2, "Split", d, axis=3, split=(1, 1))
        x, y = op.many(2, "Split", op("Mul", grid(op, w, h), op.const(self.stride)), axis=3, split=(1, 1))
        tall = op.const((HIGH - LOW)[:, 1:] + 1)
        stretched = op("Mul", op("Exp", growth), tall)
        middle = op("Add", y, op.const((LOW + HIGH)[:, 1:] / 2))
        top = op("Sub", op("Add", op("Mul", shift, tall), middle), op("Mul", stretched, op.const(0.5)))
        still = op("Mul", top, op.const(0.0))
        x1, x2 = (op("Add", still, op("Add", x, op.const(edge[:, :1]))) for edge in (LOW, HIGH))
        edge = op("Sub", op("Gather", op.reshape(info, -1), op.ints(1, 0, 1, 0)), op.const(1.0))
        boxes = op("Concat", x1, top, x2, op("Add", top, stretched), axis=3)
        boxes = op("Relu", op("Min", boxes, expand(op, edge, op("Shape", boxes))))
        score = part(op, scores, 4, 1, A, 2 * A)
        return [op.reshape(boxes, -1, 4), op.reshape(op("Transpose", score, axes=(0, 2, 3, 1)), -1, 1)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index < 2:
            return rng.normal(0, 0.3, shapes[1]) if index else rng.uniform(0, 1, shapes[0])
        info = np.ones(prod(shapes[2]))
        info[:2] = shapes[0][2] * self.stride, shapes[0][3] * self.stride
        return info.reshape(shapes[2])
