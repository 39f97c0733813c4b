"""RotateROIPooling: the greatest values of a grid of bins over each rotated region."""

import numpy as np

from .core import Arrays, LayerType, Op, OpsetError, Params, Rng, Sample, Shapes, Sizes, Tensor, Tensors, product
from .shared.emission import emit_line, pick

OLDEST_OPSET = 18
"""From which on ScatterElements can take the greatest."""


class RotateROIPooling(LayerType):
    """A roi (item, cx, cy, h, w, angle in degrees), times spatial_scale, is turned against the clock; a pixel (x, y) within the map
    and the image is in bin (i, j) with

        j = floor((cos a (x - cx) - sin a (y - cy)) pooled_w / w + pooled_w / 2)

    and i likewise of (sin a (x - cx) + cos a (y - cy)) / h;

    y[r, c, i, j] = the greatest value of x[c] there, or 0 if that is more.

    Shapes: x (N, C, H, W), rois (R, 6), im_info (1, 3): height, width, scale -> (R, C, pooled_h, pooled_w).
    Source: mjq11302010044/RRPN, rotate_roi_pooling_layer.cu (the CPU's rounds the image's size up)
    """

    types = ("RotateROIPooling",)
    bottoms = (3, 3)
    choices = (0,)
    note = f"by formula (RRPN); from opset {OLDEST_OPSET} on"

    def read(self, p: Params) -> None:
        q = p.message("rotate_pooling_param")
        self.pooled, self.scale = (q.get_int("pooled_h"), q.get_int("pooled_w")), q.get_float("spatial_scale")
        if min(self.pooled) < 1:
            raise q.refuse("pooled_h", f"pooled_h and pooled_w are {self.pooled}", expected="positive numbers")

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, rois, info = bottoms
        self.rank(x, 4, "bottom 0")
        self.require(product(rois[1:]), 6, "numbers per roi")
        self.require_least(product(info), 2, "numbers in im_info, at least")
        return [(rois[0], x[1], *self.pooled)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 0:
            return None
        height, width = (n / self.scale for n in shapes[0][2:])
        if index == 2:
            return np.resize([height, width, 1], shapes[2])
        place = rng.uniform(0, 1, (shapes[1][0], 5)) * [width, height, height / 2, width / 2, 180] - [0, 0, 0, 0, 45]
        return np.pad(place, ((0, 0), (1, 0))).reshape(shapes[1])

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, rois = bottoms[0], bottoms[1].reshape(-1, 6).astype(np.float32)
        limit = (bottoms[2].ravel()[:2].astype(np.float32) * np.float32(self.scale)).astype(np.int64)
        h, w = (int(min(n, m)) for n, m in zip(limit, x.shape[2:], strict=True))
        v, u = np.mgrid[:h, :w].astype(np.float32)
        last = np.moveaxis(x, 1, 3)
        y = np.zeros((len(rois), *self.pooled, x.shape[1]), x.dtype)
        for r, (item, cx, cy, high, wide, angle) in enumerate(rois):
            c, s = np.cos(angle / 180 * np.pi, dtype=np.float32), np.sin(angle / 180 * np.pi, dtype=np.float32)
            across, down = u - cx * np.float32(self.scale), v - cy * np.float32(self.scale)
            size = np.array([high, wide], np.float32) * np.float32(self.scale)
            bins = [
                np.floor(place * np.float32(n) / side + np.float32(n / 2))
                for place, n, side in zip(
                    (s * across + c * down, c * across - s * down), self.pooled, size, strict=True
                )
            ]
            inside = np.logical_and.reduce([(b >= 0) & (b < n) for b, n in zip(bins, self.pooled, strict=True)])
            i, j = (b[inside].astype(np.int64) for b in bins)
            np.maximum.at(y[r], (i, j), last[int(item), :h, :w][inside])
        return [np.ascontiguousarray(np.moveaxis(y, 3, 1))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        if op.opset < OLDEST_OPSET:
            problem = f"opset {op.opset}: its ScatterElements cannot take the greatest of several"
            raise OpsetError(problem, least=OLDEST_OPSET, layer=self)
        x, rois = bottoms[0], op.reshape(bottoms[1], -1, 6)
        limit = op("Mul", op("Gather", op.reshape(bottoms[2], -1), op.ints(0, 1)), op.const(self.scale))
        limit = op("Min", op("Cast", limit, to=7), op.ints(op.size(x, 2), op.size(x, 3)))
        h, w = op.many(2, "Split", limit, op.ints(1, 1), axis=0)
        x = op("Slice", x, op.ints(0, 0), op.ints(h, w), op.ints(2, 3))
        v, u = (emit_line(op, n) for n in (h, w))
        v = op("Unsqueeze", v, op.ints(1))
        pooled, count = np.array(self.pooled, np.float32), self.pooled[0] * self.pooled[1]

        def pool(inner: Op, roi: Tensor) -> Tensors:
            item, centre, size, angle = inner.many(4, "Split", roi, inner.ints(1, 2, 2, 1), axis=0)
            cx, cy = inner.many(2, "Split", inner("Mul", centre, inner.const(self.scale)), inner.ints(1, 1), axis=0)
            step = inner("Div", pooled, inner("Mul", size, inner.const(self.scale)))  # h, w
            angle = inner("Mul", angle, inner.const(np.pi / 180))
            c, s = inner("Cos", angle), inner("Sin", angle)
            across, down = inner("Sub", u, cx), inner("Sub", v, cy)
            along = [
                inner("Add", inner("Mul", s, across), inner("Mul", c, down)),
                inner("Sub", inner("Mul", c, across), inner("Mul", s, down)),
            ]
            steps = inner.many(2, "Split", step, inner.ints(1, 1), axis=0)
            bins = [
                inner("Floor", inner("Add", inner("Mul", place, k), inner.const(n / 2)))
                for place, k, n in zip(along, steps, self.pooled, strict=True)
            ]
            fits = [
                inner("And", inner("GreaterOrEqual", b, inner.const(0)), inner("Less", b, inner.const(n)))
                for b, n in zip(bins, self.pooled, strict=True)
            ]
            inside = inner.reshape(inner("And", *fits), -1)
            index = inner("Add", inner("Mul", bins[0], inner.const(self.pooled[1])), bins[1])
            index = inner("Cast", pick(inner, inside, inner.reshape(index, -1))[0], to=7)
            planes = inner("Squeeze", inner("Gather", x, inner("Cast", item, to=7), axis=0), inner.ints(0))
            planes = pick(inner, inside, inner.reshape(planes, op.size(bottoms[0], 1), -1), axis=1)[0]
            none = inner("Expand", inner.const(0), inner.ints(op.size(bottoms[0], 1), count))
            index = inner("Expand", index, inner("Shape", planes))
            return [inner("ScatterElements", none, index, planes, axis=1, reduction="max")]

        y = op("Scan", rois, body=op.body(pool, ["roi"]), num_scan_inputs=1)
        return [op("Reshape", y, op.ints(0, 0, *self.pooled))]
