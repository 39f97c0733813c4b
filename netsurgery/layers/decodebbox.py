"""DecodeBBox: proposals moved by what the next stage regressed."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.bbox_reg import read_normalization
from .shared.boxes_onnx import emit_halves


class DecodeBBox(LayerType):
    """t = the second four numbers of a row, times bbox_std plus bbox_mean; of its box w = x2 - x1 + 1, c = (x1 + x2) / 2:

        w' = w exp(t_w),  x1' = c + t_x w - (w' - 1) / 2,  x2' = x1' + w' - 1

    and y alike. Nothing is cut. Rows (image, x1', y1', x2', y2').

    Shapes: predictions (R, 8) or (R, 8, 1, 1), boxes (R, 5) or (R, 5, 1, 1) -> (R, 5, 1, 1).
    Source: zhaoweicai/mscnn, decode_bbox_layer.cpp
    """

    types = ("DecodeBBox",)
    bottoms = (2, 2)
    columns = 1
    note = "of mscnn"

    def read(self, p: Params) -> None:
        self.normalization = read_normalization(p)
        p.ignore("decode_bbox_param", why="gt_iou_thr concerns training")

    def shapes(self, bottoms: Shapes) -> Shapes:
        for bottom, name, numbers in zip(bottoms, ("the predictions", "the boxes"), (8, 5), strict=True):
            self.require(bottom[0], bottoms[0][0], f"rows of {name}")
            self.require(product(bottom[1:]), numbers, f"numbers per row of {name}")
        return [(bottoms[1][0], 5, 1, 1)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        t, rows = bottoms[0].reshape(-1, 8)[:, 4:], bottoms[1].reshape(-1, 5)
        if self.normalization:
            means, deviations = self.normalization
            t = t * deviations + means
        low, high = rows[:, 1:3], rows[:, 3:]
        size = high - low + 1
        wide = size * np.exp(t[:, 2:])
        corner = t[:, :2] * size + (low + high) / 2 - (wide - 1) / 2
        y = np.concatenate([rows[:, :1], corner, corner + wide - 1], axis=1)
        return [y.astype(rows.dtype)[:, :, None, None]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        _, t = op.many(2, "Split", op.reshape(bottoms[0], -1, 8), op.ints(4, 4), axis=1)
        if self.normalization:
            means, deviations = self.normalization
            t = op("Add", op("Mul", t, deviations), means)
        image, low, high = op.many(3, "Split", op.reshape(bottoms[1], -1, 5), op.ints(1, 2, 2), axis=1)
        shift, growth = emit_halves(op, t)
        size = op("Add", op("Sub", high, low), op.const(1))
        less = op("Sub", op("Mul", size, op("Exp", growth)), op.const(1))
        middle = op("Add", op("Mul", shift, size), op("Mul", op("Add", low, high), op.const(0.5)))
        corner = op("Sub", middle, op("Mul", less, op.const(0.5)))
        return [op("Unsqueeze", op("Concat", image, corner, op("Add", corner, less), axis=1), op.ints(2, 3))]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 0:
            return rng.normal(0, 0.3, shapes[0])
        corners = np.sort(rng.uniform(0, 200, (shapes[1][0], 2, 2)), axis=1).reshape(-1, 4)
        return np.pad(corners, ((0, 0), (1, 0))).reshape(shapes[1])
