"""ROIPooling: the greatest values of a grid of bins over each region."""

import numpy as np
from numpy.typing import NDArray

from .core import Arrays, Op, Params, Shapes, Tensors, UnsupportedError
from .shared.regions import Regions, round_half_away

NEWEST_OPSET = 21
"""Opset 22 made MaxRoiPool anew, for bfloat16; onnxruntime (1.32) does not run that one."""

LOWEST = float(np.finfo(np.float32).min)


class ROIPooling(Regions):
    """A roi (item, x1, y1, x2, y2), times spatial_scale and rounded (halves away from zero), is max(x2 - x1 + 1, 1) wide; bin (i, j) of
    the pooled_h x pooled_w grid spans rows floor(i h / pooled_h) + y1 to ceil((i + 1) h / pooled_h) + y1, exclusive, and columns
    likewise; y = the greatest value of x there, 0 where the bin is outside. With MS-CNN's pad_ratio, x1 and x2 (and y alike) first move
    apart by (x2 - x1 + 1) pad_ratio each.

    Shapes: x (N, C, H, W), rois (R, 5) or (R, 5, 1, 1) -> (R, C, pooled_h, pooled_w).
    Source: roi_pooling_layer.cpp of py-faster-rcnn, and of zhaoweicai/mscnn
    """

    types = ("ROIPooling",)
    note = f"up to opset {NEWEST_OPSET}"

    def read(self, p: Params) -> None:
        q = p.message("roi_pooling_param")
        self.pooled = q.get_positive("pooled_h"), q.get_positive("pooled_w")
        self.scale, self.pad = q.get_float("spatial_scale", 1.0), q.get_float("pad_ratio")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.check(bottoms)
        x, rois = bottoms
        return [(rois[0], x[1], *self.pooled)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        rois, items = self.rois(bottoms)
        grown = (rois[:, 3:] - rois[:, 1:3] + np.float32(1)) * np.float32(self.pad)
        rois = np.concatenate([rois[:, :1], rois[:, 1:3] - grown, rois[:, 3:] + grown], axis=1)
        low, high = (round_half_away(rois[:, s] * np.float32(self.scale)).astype(np.int64) for s in ([2, 1], [4, 3]))
        spans = np.maximum(high - low + 1, 1).astype(np.float32) / np.array(self.pooled, np.float32)
        (top, bottom), (left, right) = (
            self._bins(spans[:, i], low[:, i], self.pooled[i], x.shape[2 + i]) for i in (0, 1)
        )
        last = np.ascontiguousarray(np.moveaxis(x, 1, 3))  # channels last: each bin is reduced over long rows
        y = np.zeros((len(rois), *self.pooled, x.shape[1]), x.dtype)
        for r, item in enumerate(items):
            for i, j in np.ndindex(*self.pooled):
                window = last[item, top[r, i] : bottom[r, i], left[r, j] : right[r, j]]
                if window.size:  # NaN never is the greatest
                    y[r, i, j] = np.fmax.reduce(window, axis=(0, 1), initial=LOWEST)
        return [np.moveaxis(y, 3, 1)]

    @staticmethod
    def _bins(
        span: NDArray[np.float32], low: NDArray[np.int64], bins: int, n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Start and end of each bin of each roi along an axis, (R, bins) each, within 0 .. n."""
        i = np.arange(bins, dtype=np.float32)
        start = np.floor(i * span[:, None]).astype(np.int64) + low[:, None]
        end = np.ceil((i + 1) * span[:, None]).astype(np.int64) + low[:, None]
        return start.clip(0, n), end.clip(0, n)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, rois = bottoms
        if op.opset > NEWEST_OPSET:
            raise UnsupportedError(
                f"opset {op.opset}: onnxruntime has no MaxRoiPool of it",
                layer=self,
                expected=f"up to {NEWEST_OPSET}",
                fix=f"--opset {NEWEST_OPSET}",
            )
        if len(rois.shape) != 2:
            rois = op.reshape(rois, -1, 5)
        if self.pad:
            item, low, high = op.many(3, "Split", rois, op.ints(1, 2, 2), axis=1)
            grown = op("Mul", op("Add", op("Sub", high, low), op.const(1)), op.const(self.pad))
            rois = op("Concat", item, op("Sub", low, grown), op("Add", high, grown), axis=1)
        return [op("MaxRoiPool", x, rois, pooled_shape=self.pooled, spatial_scale=self.scale)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, rois = bottoms
        if len(rois.shape) != 2:
            rois = op.reshape(rois, -1, 5)
        if self.pad:
            item, low, high = op.many(3, "Split", rois, axis=1, split=(1, 2, 2))
            grown = op("Mul", op("Add", op("Sub", high, low), op.const(1.0)), op.const(self.pad))
            rois = op("Concat", item, op("Sub", low, grown), op("Add", high, grown), axis=1)
        height, width = self.pooled
        return [op("RoIPool", x, rois, is_test=1, pooled_h=height, pooled_w=width, spatial_scale=self.scale)]
