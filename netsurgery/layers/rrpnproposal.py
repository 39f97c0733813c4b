"""The Python layer rotation.rproposal_layer.ProposalLayer of RRPN: rotated regions."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .core import Array, Arrays, LayerType, Op, Params, Shapes, Tensor, Tensors, by_data, product
from .shared.boxes_onnx import emit_grid
from .shared.faster_rcnn import SCALES, FasterRcnnProposals
from .shared.python_layers import settings, size, sizes
from .shared.rotated import corners, shared_area
from .shared.rotated_onnx import emit_rotated_suppress

RATIOS, ANGLES = (0.2, 0.5, 1.0), (-30, 0, 30, 60, 90, 120)
SIZE, CENTRE = 16, 7
HALF_TURN = float(np.float32(180 / np.pi))


class RotatedProposals(FasterRcnnProposals):
    """For each cell and anchor (w, h, angle), with five deltas:

        x = dx w + 7 + stride col,  y = dy h + 7 + stride row,  exp(dw) w,  exp(dh) h,  angle + da 180 / pi

    an angle below -45 or above 135 being turned by 180 once. Those with a side below 16 * scale go; nothing is cut; then as
    py-faster-rcnn's, with the area that rotated rectangles share. Rows (0, x, y, h, w, angle).

    Shapes: one image; scores (1, 2 A, H, W), deltas (1, 5 A, H, W), im_info (1, 3) -> (R, 6), (R, 1).
    Source: mjq11302010044/RRPN, lib/rotation/rproposal_layer.py, generate_anchors.py, rbbox_transform.py,
    rotate_polygon_nms_kernel.cu
    """

    types = ("Python:rotation.rproposal_layer.ProposalLayer",)
    note = "of RRPN; its configuration's TEST values, as of py-faster-rcnn"

    def read(self, p: Params) -> None:
        values = settings(p, self.title, "feat_stride", "scales")
        self.stride, scales = size(p, values, "feat_stride"), sizes(p, values, "scales", SCALES)
        sides = [(w, np.round(w * r)) for r in RATIOS for w in [np.round(np.sqrt(SIZE * SIZE / r))]]
        rows = [(w * s, h * s, angle) for w, h in sides for s in scales for angle in ANGLES]
        self.anchors = np.array(rows, np.float32)  # (A, 3): w, h, angle

    def shapes(self, bottoms: Shapes) -> Shapes:
        scores, deltas, info = bottoms
        a = len(self.anchors)
        for bottom, name, channels in ((scores, "scores", 2), (deltas, "deltas", 5)):
            self.rank(bottom, 4, name)
            self.require(bottom[0], 1, "batch", fix="one image at a time: the layer takes no more")
            self.require(bottom[1], channels * a, f"channels of {name}")
        for i, what in ((2, "height"), (3, "width")):
            self.require(deltas[i], scores[i], f"{what} of deltas")
        self.require_least(product(info), 3, "numbers in im_info")
        regions = by_data(self.name, "regions")
        return [(regions, 6), (regions, 1)][: self.top_count]

    def candidates(self, bottoms: Arrays) -> tuple[Array, Array, NDArray[np.bool_]]:
        scores, deltas, info = bottoms
        a, (h, w) = len(self.anchors), deltas.shape[2:]
        d = deltas[0].reshape(a, 5, h, w).transpose(2, 3, 0, 1)
        side = self.anchors[:, :2].astype(d.dtype)
        cell = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2)[:, :, None].astype(d.dtype)
        centre, sides = d[..., :2] * side + (cell * self.stride + CENTRE), np.exp(d[..., 2:4]) * side
        angle = d[..., 4:] * d.dtype.type(HALF_TURN) + self.anchors[:, 2:].astype(d.dtype)
        angle = np.where(angle < -45, angle + 180, angle)
        angle = np.where(angle > 135, angle - 180, angle)
        boxes = np.concatenate([centre, sides[..., ::-1], angle], axis=-1).reshape(1, -1, 5)
        large = (boxes[..., 2:4] >= info.dtype.type(self.smallest) * info.ravel()[2]).all(axis=-1)
        return boxes, scores[:, a:].transpose(0, 2, 3, 1).reshape(1, -1), large

    def survivors(self, boxes: Array) -> Sequence[int]:
        turned, area = corners(boxes), boxes[:, 2] * boxes[:, 3]
        alive = np.ones(len(boxes), bool)
        survivors: list[int] = []
        for i in range(len(boxes)):
            if alive[i] and len(survivors) < self.most:
                survivors.append(i)
                # what two share is at most the lesser of them: most pairs cannot reach the threshold
                rest = np.flatnonzero(
                    alive & (np.minimum(area, area[i]) > (self.overlap - 1e-3) * np.maximum(area, area[i]))
                )
                shared = shared_area(turned[i], turned[rest])
                alive[rest[shared / (area[i] + area[rest] - shared) > boxes.dtype.type(self.overlap)]] = False
        return survivors

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        scores, deltas, info = bottoms
        a, h, w = len(self.anchors), op.size(deltas, 2), op.size(deltas, 3)
        d = op("Transpose", op.reshape(deltas, a, 5, h, w), perm=(2, 3, 0, 1))
        shift, growth, turn = op.many(3, "Split", d, op.ints(2, 2, 1), axis=-1)
        side = self.anchors[:, :2]
        cell = op("Add", op("Mul", emit_grid(op, w, h), op.const(self.stride)), op.const(CENTRE))
        centre = op("Add", op("Mul", shift, side), cell)
        sides = op("Mul", op("Gather", op("Exp", growth), op.ints(1, 0), axis=-1), side[:, ::-1])
        angle = op("Add", op("Mul", turn, op.const(HALF_TURN)), self.anchors[:, 2:])
        angle = op("Where", op("Less", angle, op.const(-45)), op("Add", angle, op.const(180)), angle)
        angle = op("Where", op("Greater", angle, op.const(135)), op("Sub", angle, op.const(180)), angle)
        boxes = op.reshape(op("Concat", centre, sides, angle, axis=-1), -1, 5)
        smallest = op("Mul", op("Gather", op.reshape(info, -1), op.ints(2)), op.const(self.smallest))
        fits = op("GreaterOrEqual", op.reshape(sides, -1, 2), smallest)
        large = op.reshape(op("And", *op.many(2, "Split", fits, op.ints(1, 1), axis=1)), -1)
        score = op("Slice", scores, op.ints(a), op.ints(2 * a), op.ints(1))
        score = op.reshape(op("Transpose", score, perm=(0, 2, 3, 1)), -1)
        return self.emit_tops(op, boxes, score, large, product(deltas.shape[2:]) * a)

    def emit_survivors(self, op: Op, boxes: Tensor, score: Tensor) -> Tensor:
        _, order = op.many(2, "TopK", score, op.size(score, 0), axis=0)
        best = op("Gather", boxes, order)
        return op("Gather", order, emit_rotated_suppress(op, best, self.overlap, self.most))

    emit_caffe2 = LayerType.emit_caffe2  # there is none
