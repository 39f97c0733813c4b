"""PSROIPooling: R-FCN's position-sensitive score maps, averaged over the bins of each region."""

import numpy as np

from .caffe2.psroi import emit_psroi
from .core import Array, Arrays, Op, Params, Tensor, Tensors
from .shared.regions import PositionSensitive, round_half_away


class PSROIPooling(PositionSensitive):
    """y[r, k, i, j] = the mean of x[item, (k g + i) g + j] over bin (i, j) of a g x g grid, g = group_size, 0 where the bin is outside.

    x1 = round(x1) spatial_scale, x2 = (round(x2) + 1) spatial_scale, w = max(x2 - x1, 0.1); the bin spans columns floor(j w / g + x1) to
    ceil((j + 1) w / g + x1), exclusive, and rows likewise.

    Shapes: x (N, output_dim g g, H, W), rois (R, 5) -> (R, output_dim, g, g).
    Source: psroi_pooling_layer.cpp of BVLC/caffe@intel, after daijifeng001/R-FCN
    """

    types = ("PSROIPooling",)

    def read(self, p: Params) -> None:
        self.read_maps(p.message("psroi_pooling_param"))

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, g = bottoms[0], self.group
        rois, items = self.rois(bottoms)
        scale, cells = np.float32(self.scale), np.arange(g, dtype=np.float32)
        low = round_half_away(rois[:, [2, 1]]) * scale
        high = (round_half_away(rois[:, [4, 3]]) + np.float32(1)) * scale
        size = (np.maximum(high - low, np.float32(0.1)) / np.float32(g))[:, :, None]
        limit = np.array(x.shape[2:])[:, None]
        start = np.clip(np.floor(cells * size + low[:, :, None]).astype(np.int64), 0, limit)  # (R, axis, cell)
        end = np.clip(np.ceil((cells + 1) * size + low[:, :, None]).astype(np.int64), 0, limit)
        maps = x.reshape(len(x), self.outputs, g, g, *x.shape[2:])
        y = np.zeros((len(rois), self.outputs, g, g), x.dtype)
        for r, item in enumerate(items):
            for i in range(g):
                rows = slice(start[r, 0, i], end[r, 0, i])
                for j in range(g):
                    window = maps[item, :, i, j, rows, start[r, 1, j] : end[r, 1, j]]
                    if window.size:
                        y[r, :, i, j] = window.mean(axis=(1, 2))
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, rois = bottoms
        g, cells = self.group, np.arange(self.group, dtype=np.float32)
        if len(rois.shape) != 2:
            rois = op.reshape(rois, -1, 5)
        item = op("Cast", op("Slice", rois, op.ints(0), op.ints(1), op.ints(1)), to=7)  # (R, 1)
        corners = op("Slice", rois, op.ints(1), op.ints(5), op.ints(1))
        # C's round: ONNX's takes halves to even numbers
        amount = op("Abs", corners)
        whole = op("Floor", amount)
        up = op("Cast", op("GreaterOrEqual", op("Sub", amount, whole), op.const(0.5)), to=1)
        rounded = op("Mul", op("Sign", corners), op("Add", whole, up))
        low, high = op.many(2, "Split", rounded, op.ints(2, 2), axis=1)  # (R, 2): x, y
        low = op("Mul", low, op.const(self.scale))
        high = op("Mul", op("Add", high, op.const(1.0)), op.const(self.scale))
        step = op("Div", op("Max", op("Sub", high, low), op.const(0.1)), op.const(float(g)))
        low, step = (op("Unsqueeze", t, op.ints(2)) for t in (low, step))  # (R, 2, 1)
        limit = op.reshape(op.ints(op.size(x, 3), op.size(x, 2)), 2, 1)

        def bound(rounding: str, edges: Array) -> tuple[Tensor, Tensor]:
            edge = op("Cast", op(rounding, op("Add", op("Mul", step, edges), low)), to=7)
            inside = op("Min", op("Max", edge, op.const(0, "int64")), limit)  # (R, 2, g)
            columns, rows = op.many(2, "Split", inside, op.ints(1, 1), axis=1)
            return op("Squeeze", rows, op.ints(1)), op("Squeeze", columns, op.ints(1))

        top, left = bound("Floor", cells)
        bottom, right = bound("Ceil", cells + 1)
        # sums of all that is above and left of each pixel, in double: their differences are bins, in float32 off by 4e-5 at 38 x 63;
        # by measurement with a pixel's outputs side by side, which CumSum and Gather take as one
        size = op.size(x, 2), op.size(x, 3)
        pixels = op("Transpose", op.reshape(x, 0, self.outputs, g * g, *size), perm=(0, 2, 3, 4, 1))
        sums = op("Cast", op("Pad", pixels, op.ints(0, 0, 1, 1, 0, 0, 0, 0, 0, 0)), to=11)  # (N, g g, H + 1, W + 1, K)
        for axis in (2, 3):
            sums = op("CumSum", sums, op.const(axis, "int64"))
        sums = op.reshape(sums, -1, self.outputs)
        rows, columns = (op("Add", n, op.ints(1)) for n in size)
        maps = op("Add", op("Mul", op.reshape(item, -1, 1, 1), op.ints(g * g)), np.arange(g * g).reshape(g, g))
        first = op("Mul", maps, op("Mul", rows, columns))

        def total(row: Tensor, column: Tensor) -> Tensor:
            place = op("Add", op("Mul", op("Unsqueeze", row, op.ints(2)), columns), op("Unsqueeze", column, op.ints(1)))
            return op("Gather", sums, op("Add", first, place), axis=0)  # (R, g, g, K)

        covered = op(
            "Sub", op("Sub", total(bottom, right), total(top, right)), op("Sub", total(bottom, left), total(top, left))
        )
        height, width = op("Sub", bottom, top), op("Sub", right, left)
        area = op("Mul", op("Unsqueeze", height, op.ints(2, 3)), op("Unsqueeze", width, op.ints(1, 3)))
        # an empty bin covers 0
        mean = op("Div", covered, op("Cast", op("Max", area, op.const(1, "int64")), to=11))
        return [op("Transpose", op("Cast", mean, to=1), perm=(0, 3, 1, 2))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return emit_psroi(op, bottoms[0], bottoms[1], self.group, self.outputs, self.scale)
