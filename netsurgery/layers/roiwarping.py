"""ROIWarping: the greatest of interpolated values over each bin of each region."""

import numpy as np
from numpy.typing import NDArray

from .core import Array, Arrays, Op, Params, Shapes, Tensor, Tensors
from .shared.boxes_onnx import LOWEST
from .shared.emission import emit_line
from .shared.regions import Regions, round_half_away


class ROIWarping(Regions):
    """A roi (item, x1, y1, x2, y2), times spatial_scale and rounded (halves away from zero), is w = max(x2 - x1, 0) wide, a bin
    b = w / pooled_w. Bin j is sampled at x1 + t b, t = j, j + 1 / k, j + 2 / k .. up to j + 1 as float32 adds it up,
    k = ceil(w / pooled_w); rows alike. y = the greatest of the samples, each between the four pixels around it, those outside the map
    by more than half a pixel left out; 0 if none is left.

    Shapes: x (N, C, H, W), rois (R, 5) -> (R, C, pooled_h, pooled_w).
    Source: daijifeng001/caffe-mnc, roi_warping_layer.cu
    """

    types = ("ROIWarping",)
    note = "by formula (MNC)"

    def read(self, p: Params) -> None:
        q = p.message("roi_warping_param")
        self.pooled, self.scale = (q.get_int("pooled_h"), q.get_int("pooled_w")), q.get_float("spatial_scale")
        if min(self.pooled) < 1:
            raise q.refuse("pooled_h", f"pooled_h and pooled_w are {self.pooled}", expected="positive numbers")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.check(bottoms)
        return [(bottoms[1][0], bottoms[0][1], *self.pooled)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        rois, items = self.rois(bottoms)
        corners = round_half_away(rois[:, 1:] * np.float32(self.scale))
        y = np.zeros((len(rois), x.shape[1], *self.pooled), x.dtype)
        for r, (x1, y1, x2, y2) in enumerate(corners):
            rows, columns = self._samples(y1, y2, self.pooled[0]), self._samples(x1, x2, self.pooled[1])
            for i, at in enumerate(rows):
                a = _weights(at, x.shape[2])
                for j, to in enumerate(columns):
                    b = _weights(to, x.shape[3])
                    if len(a) and len(b):
                        y[r, :, i, j] = (a @ x[items[r]] @ b.T).max(axis=(1, 2))
        return [y]

    def _samples(self, start: np.float32, end: np.float32, bins: int) -> list[NDArray[np.float32]]:
        """Where each bin is sampled."""
        single = np.float32
        size = max(end - start, single(0))
        wide, times = size / single(bins), int(np.ceil(size / single(bins)))
        samples = []
        for j in range(bins):
            steps = np.full(times + 1, 1 / single(times) if times else 0, single)
            steps[0] = j
            t = np.cumsum(steps, dtype=single)
            samples.append((start + t[t <= j + 1] * wide).astype(single))
        return samples

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, rois = bottoms[0], op.reshape(bottoms[1], -1, 5)

        def warp(inner: Op, roi: Tensor) -> Tensors:
            item, corners = inner.many(2, "Split", roi, inner.ints(1, 4), axis=0)
            at = inner("Mul", corners, inner.const(self.scale))
            # C's round: halves go away from zero
            at = inner("Mul", inner("Sign", at), inner("Floor", inner("Add", inner("Abs", at), inner.const(0.5))))
            x1, y1, x2, y2 = inner.many(4, "Split", at, inner.ints(1, 1, 1, 1), axis=0)
            planes = inner("Gather", x, inner("Cast", item, to=7), axis=0)  # (1, C, H, W)
            sides = []
            for start, end, bins, axis in ((y1, y2, self.pooled[0], 2), (x1, x2, self.pooled[1], 3)):
                sides.append(self._emit_samples(inner, start, end, bins, op.size(x, axis)))
            (a, down, m), (b, right, n) = sides
            y = inner(
                "MatMul", inner("MatMul", a, planes), inner("Transpose", b, perm=(1, 0))
            )  # (1, C, samples, samples)
            fits = inner("And", inner("Unsqueeze", down, inner.ints(1)), inner("Unsqueeze", right, inner.ints(0)))
            y = inner("Where", fits, y, inner.const(LOWEST))
            shape = inner.ints(op.size(x, 1), self.pooled[0], m, self.pooled[1], n)
            y = inner("Reshape", y, shape)
            best = (
                inner("ReduceMax", y, axes=(2, 4), keepdims=0)
                if op.opset < 18
                else inner("ReduceMax", y, inner.ints(2, 4), keepdims=0)
            )
            return [inner("Where", inner("Greater", best, inner.const(LOWEST)), best, inner.const(0))]

        return [op("Scan", rois, body=op.body(warp, ["roi"]), num_scan_inputs=1)]

    def _emit_samples(
        self, op: Op, start: Tensor, end: Tensor, bins: int, size: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The weights of the pixels in each sample of each bin (bins m, size), whether it counts (bins m), and m."""
        span = op("Div", op("Relu", op("Sub", end, start)), op.const(bins))
        times = op("Ceil", span)
        step = op("Div", op.const(1), op("Max", times, op.const(1)))
        first = np.arange(bins, dtype=np.float32)[:, None]
        more = op("Expand", step, op.ints(bins, op("Cast", times, to=7)))
        t = op("CumSum", op("Concat", op.const(first), more, axis=1), op.const(1, "int64"))  # (bins, times + 1)
        at = op.reshape(op("Add", start, op("Mul", t, span)), -1)
        edge = op("Cast", size, to=1)
        fits = op(
            "And", op("GreaterOrEqual", at, op.const(-0.5)), op("LessOrEqual", at, op("Sub", edge, op.const(0.5)))
        )
        fits = op("And", op.reshape(op("LessOrEqual", t, first + 1), -1), fits)
        near = op("Max", op("Min", at, op("Sub", edge, op.const(1))), op.const(0))
        pixels = emit_line(op, size)
        away = op("Abs", op("Sub", op("Unsqueeze", near, op.ints(1)), pixels))
        return op("Relu", op("Sub", op.const(1), away)), fits, op.size(t, 1)


def _weights(at: NDArray[np.float32], size: int) -> Array:
    """What each of `size` pixels counts for in samples, those outside left out: (samples, size)."""
    at = at[(at >= -0.5) & (at <= size - 0.5)].clip(0, size - 1)
    low = np.minimum(at.astype(np.int64), max(size - 2, 0))
    weights = np.zeros((len(at), size), np.float32)
    k = np.arange(len(at))
    weights[k, low] = 1 - (at - low)
    weights[k, np.minimum(low + 1, size - 1)] += at - low
    return weights
