"""Nms: the peaks of heatmaps."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .caffe2.nms import emit_peaks
from .core import Arrays, LayerType, Op, Params, Shapes, Tensor, Tensors
from .shared.boxes_onnx import emit_grid
from .shared.emission import emit_range, pick

NEAR = 3
"""How many pixels around a peak weigh in on where it is."""


class Nms(LayerType):
    """For each of the first num_parts channels, row by row, the pixels inside the border that exceed `threshold` and all of their
    eight neighbours. Row 0 of a channel: how many there are; then the first max_peaks as (x, y, score), the rest zeros. (x, y)
    is the mean of the positions at most 3 away, weighed by their values, as far as these are positive and not in row or
    column 0.

    Shapes: (1, C, H, W) -> (1, num_parts, max_peaks + 1, 3).
    Source: CMU-Perceptual-Computing-Lab/caffe_rtpose, nms_layer.cu, but for its reading beyond the last rows of a map
    """

    types = ("Nms",)
    choices = (0,)
    columns = -1
    not_in_caffe2 = (
        "no operator that runs on the CPU gives the places of an unknown number of peaks, channel by channel"
    )
    note = (
        "by formula, of caffe_rtpose (OpenPose); near the last rows the fork reads beyond the map, this layer does not"
    )

    def read(self, p: Params) -> None:
        q = p.message("nms_param")
        self.threshold = q.get_float("threshold", 0.5)
        self.parts, self.most = q.get_int("num_parts", 15), q.get_int("max_peaks", 20)
        q.ignore("num_peak", why="the fork does not read it")
        if self.parts < 1 or not 0 < self.most < 2**16 or not self.threshold >= 0:
            problem = f"num_parts {self.parts}, max_peaks {self.most}, threshold {self.threshold:g}"
            raise q.refuse("num_parts", problem, expected="positive numbers")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        self.require(x[0], 1, "batch", fix="one image at a time: the fork mixes up the channels of others")
        for size, least, what in ((x[1], self.parts, "channels"), (x[2], 3, "height"), (x[3], 3, "width")):
            self.require_least(size, least, f"{what}, at least")
        return [(1, self.parts, self.most + 1, 3)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0][0, : self.parts]
        top = np.zeros((1, self.parts, self.most + 1, 3), x.dtype)
        h, w = x.shape[1:]
        around = sliding_window_view(x, (3, 3), axis=(1, 2)).reshape(self.parts, h - 2, w - 2, 9)
        inner = around[..., 4]
        peak = (inner > np.delete(around, 4, axis=3).max(axis=3)) & (inner > self.threshold)
        heavy = np.pad(np.maximum(x[:, 1:, 1:], 0), ((0, 0), (NEAR + 1, NEAR), (NEAR + 1, NEAR)))
        steps = np.arange(-NEAR, NEAR + 1)
        for part in range(self.parts):
            rows, columns = np.nonzero(peak[part])
            top[0, part, 0, 0] = len(rows)
            for i, (y, c) in enumerate(zip(rows[: self.most] + 1, columns[: self.most] + 1, strict=True)):
                window = heavy[part, y : y + 2 * NEAR + 1, c : c + 2 * NEAR + 1]
                total = window.sum()
                top[0, part, i + 1] = (
                    (window.sum(axis=0) * (steps + c)).sum() / total,
                    (window.sum(axis=1) * (steps + y)).sum() / total,
                    x[part, y, c],
                )
        return [top]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if x.shape[1] != self.parts:
            x = op("Slice", x, op.ints(0), op.ints(self.parts), op.ints(1), shape=(1, self.parts, *x.shape[2:]))

        def shifted(y: Tensor, row: int, column: int) -> Tensor:
            """y without two rows and columns of the edge, seen `row` and `column` from the middle."""
            return op(
                "Slice", y, op.ints(1 + row, 1 + column), op.ints(row - 1 or 2**31, column - 1 or 2**31), op.ints(2, 3)
            )

        inner = shifted(x, 0, 0)
        sides = op("MaxPool", x, kernel_shape=(1, 3))
        above, below = (op("Slice", sides, op.ints(a), op.ints(b), op.ints(2)) for a, b in ((0, -2), (2, 2**31)))
        best = op("Max", above, below, shifted(x, 0, -1), shifted(x, 0, 1))
        peak = op("And", op("Greater", inner, best), op("Greater", inner, op.const(self.threshold)))
        count = op("ReduceSum", op("Cast", peak, to=7), op.ints(2, 3), keepdims=0)
        at = op(
            "Add", op("Transpose", op("NonZero", peak), perm=(1, 0)), op.ints(0, 0, 1, 1)
        )  # part by part, row by row
        part = op("Gather", at, op.ints(1), axis=1)
        first = op("Gather", op.reshape(op("CumSum", count, op.const(1, "int64"), exclusive=1), -1), part)
        every = emit_range(op, op.size(at, 0))
        rank = op("Sub", op("Unsqueeze", every, op.ints(1)), first)
        mask = op.reshape(op("Less", rank, op.ints(self.most)), -1)
        at, place = pick(op, mask, at, op("Concat", part, rank, axis=1))
        heavy = op("Slice", op("Relu", x), op.ints(1, 1), op.ints(2**31, 2**31), op.ints(2, 3))
        heavy = op("Pad", heavy, op.ints(0, 0, 1, 1, 0, 0, 0, 0))
        grid = op("Transpose", emit_grid(op, op.size(x, 3), op.size(x, 2)), perm=(3, 2, 0, 1))  # columns, rows
        sums = op("Concat", heavy, op("Mul", heavy, grid), axis=0)
        sums = op("AveragePool", sums, kernel_shape=(2 * NEAR + 1,) * 2, pads=(NEAR,) * 4, count_include_pad=1)
        local = op(
            "GatherND", op("Transpose", sums, perm=(1, 2, 3, 0)), op("Slice", at, op.ints(1), op.ints(4), op.ints(1))
        )
        mass, centre = op.many(2, "Split", local, op.ints(1, 2), axis=1)
        score = op("Unsqueeze", op("GatherND", x, at), op.ints(1))
        numbers = op("Concat", op("Div", centre, mass), score, axis=1)
        peaks = op("ScatterND", op.const(np.zeros((self.parts, self.most, 3))), place, numbers)
        head = op("Pad", op.reshape(op("Cast", count, to=1), -1, 1, 1), op.ints(0, 0, 0, 0, 0, 2))
        return [op("Unsqueeze", op("Concat", head, peaks, axis=1), op.ints(0))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [emit_peaks(op, bottoms[0], self.parts, self.most, self.threshold, NEAR)]
