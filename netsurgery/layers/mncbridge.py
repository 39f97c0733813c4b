"""The Python layer pylayer.stage_bridge_layer.StageBridgeLayer of MNC."""

import numpy as np

from .core import Arrays, Op, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.boxes_onnx import emit_corners, emit_halves
from .shared.python_layers import NoSettings


class StageBridge(NoSettings):
    """Each region moved by the four deltas of its likeliest class, the background being one, as proposals are (w = x2 - x1 + 1,
    x1 + w / 2 + dx w -+ exp(dw) w / 2), and cut to the image. Rows (0, x1, y1, x2, y2).

    Shapes, C classes: rois (R, 5), deltas (R, 4 C), scores (R, C), im_info (1, 3) -> (R, 5).
    Source: daijifeng001/MNC, lib/pylayer/stage_bridge_layer.py
    """

    types = ("Python:pylayer.stage_bridge_layer.StageBridgeLayer",)
    bottoms = (4, 4)
    choices = (0,)
    columns = -1
    note = "of MNC"

    def shapes(self, bottoms: Shapes) -> Shapes:
        rois, deltas, scores, info = bottoms
        self.require(product(rois[1:]), 5, "numbers per region")
        for bottom, name in ((deltas, "deltas"), (scores, "scores")):
            self.require(bottom[0], rois[0], f"rows of {name}")
        self.require(product(deltas[1:]), product(scores[1:]) * 4, "numbers per row of deltas")
        self.require_least(product(info), 2, "numbers in im_info, at least")
        return [(rois[0], 5)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        rois, deltas, scores, info = (x.reshape(len(x), -1) for x in bottoms)
        best = scores.argmax(axis=1)
        d = deltas.reshape(len(rois), -1, 4)[np.arange(len(rois)), best]
        low, side = rois[:, 1:3], rois[:, 3:] - rois[:, 1:3] + 1
        centre, half = d[:, :2] * side + (low + side / 2), np.exp(d[:, 2:]) * side / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        edge = np.tile(info.ravel()[[1, 0]], 2) - 1
        return [np.pad(np.maximum(np.minimum(boxes, edge), 0), ((0, 0), (1, 0)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        rois, deltas, scores = (op.reshape(x, 0, -1) for x in bottoms[:3])
        best = op("ArgMax", scores, axis=1, keepdims=1)
        d = op("GatherND", op.reshape(deltas, 0, -1, 4), best, batch_dims=1)
        shift, growth = emit_halves(op, d)
        low, high = (op("Gather", rois, op.ints(*at), axis=1) for at in ((1, 2), (3, 4)))
        side = op("Add", op("Sub", high, low), op.const(1))
        half = op("Mul", side, op.const(0.5))
        centre = op("Add", op("Mul", shift, side), op("Add", low, half))
        boxes = emit_corners(op, centre, op("Mul", op("Exp", growth), half))
        edge = op("Sub", op("Gather", op.reshape(bottoms[3], -1), op.ints(1, 0, 1, 0)), op.const(1))
        return [op("Pad", op("Max", op("Min", boxes, edge), op.const(0)), op.ints(0, 1, 0, 0))]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 0:
            corners = np.sort(rng.uniform(0, 200, (shapes[0][0], 2, 2)), axis=1).reshape(-1, 4)
            return np.pad(corners, ((0, 0), (1, 0))).reshape(shapes[0])
        return rng.normal(0, 0.3, shapes[1]) if index == 1 else np.full(shapes[3], 200) if index == 3 else None
