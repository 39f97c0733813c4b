"""ROIAlign: values at the corners of a grid of bins over each region."""

import numpy as np

from .core import Arrays, Op, Params, Shapes, Tensors
from .shared.regions import Regions


class ROIAlign(Regions):
    """MS-CNN's, which does not average (a Pooling of kernel 2 behind it does). A roi grown on each side by pad_ratio (x2 - x1 + 1):

        start = (x1 - pad) spatial_scale - 1/2,  end = (x2 + pad) spatial_scale - 1/2

    y[j] = the value of x at start + j (end - start) / pooled_w, j = 0 .. pooled_w, between the four pixels around it, the edge's
    where there are none; 0 beyond half a pixel outside, and for a roi whose end is not behind its start. Rows alike.

    Shapes: x (N, C, H, W), rois (R, 5) or (R, 5, 1, 1) -> (R, C, pooled_h + 1, pooled_w + 1).
    Source: zhaoweicai/mscnn, roi_align_layer.cpp
    """

    types = ("ROIAlign",)
    note = "of mscnn: one row and column more than pooled_h and pooled_w"

    def read(self, p: Params) -> None:
        q = p.message("roi_pooling_param")
        self.pooled = q.get_int("pooled_h"), q.get_int("pooled_w")
        self.scale, self.pad = q.get_float("spatial_scale", 1.0), q.get_float("pad_ratio")
        for name, size in zip(("pooled_h", "pooled_w"), self.pooled, strict=True):
            if size < 1:
                fix = "this is MS-CNN's ROIAlign, which reads roi_pooling_param; register a layer type for another's"
                raise q.refuse(name, f"{name} is {size}", expected="a positive number", fix=fix)

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.check(bottoms)
        x, rois = bottoms
        return [(rois[0], x[1], self.pooled[0] + 1, self.pooled[1] + 1)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        rois, items = self.rois(bottoms)
        single = np.float32
        grown = (rois[:, 3:] - rois[:, 1:3] + single(1)) * single(self.pad)
        low = (rois[:, 1:3] - grown) * single(self.scale) - single(0.5)
        high = (rois[:, 3:] + grown) * single(self.scale) - single(0.5)
        whole = ((high[:, 0] > low[:, 0]) & (high[:, 1] > low[:, 1]))[:, None]
        places = []
        for axis, bins, size in ((1, self.pooled[0], x.shape[2]), (0, self.pooled[1], x.shape[3])):
            step = (high - low)[:, axis] / single(bins)
            at = low[:, axis, None] + np.arange(bins + 1, dtype=single) * step[:, None]
            inside = whole & (at >= -0.5) & (at <= size - 0.5)
            near = np.floor(at).astype(np.int64)
            pair = near.clip(0, size - 1), (near + 1).clip(0, size - 1)
            share = at.clip(0, size - 1) - pair[0]
            places.append((pair, share.astype(x.dtype), inside))
        (rows, b, down), (columns, a, right) = places
        last, item = x.transpose(0, 2, 3, 1), items[:, None, None]
        a, b = a[:, None, :, None], b[:, :, None, None]
        upper, lower = (
            (1 - a) * last[item, row[:, :, None], columns[0][:, None]]
            + a * last[item, row[:, :, None], columns[1][:, None]]
            for row in rows
        )
        y = ((1 - b) * upper + b * lower) * (down[:, :, None] & right[:, None])[..., None]
        return [np.ascontiguousarray(y.transpose(0, 3, 1, 2))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, rois = bottoms[0], op.reshape(bottoms[1], -1, 5)
        item, low, high = op.many(3, "Split", rois, op.ints(1, 2, 2), axis=1)
        if self.pad:
            grown = op("Mul", op("Add", op("Sub", high, low), op.const(1)), op.const(self.pad))
            low, high = op("Sub", low, grown), op("Add", high, grown)
        edges = [op("Mul", t, op.const(self.scale)) for t in (low, high)]  # RoiAlign takes off the half pixel by itself
        low, high = (op("Sub", t, op.const(0.5)) for t in edges)
        bins = np.array(self.pooled[::-1], np.float32)
        step = op("Div", op("Sub", high, low), bins)  # (R, 2): x, y
        # RoiAlign takes the middles of bins: a grid that starts half a bin earlier has them at our corners
        first = op("Sub", edges[0], op("Mul", step, op.const(0.5)))
        corners = op("Concat", first, op("Add", first, op("Mul", step, bins + 1)), axis=1)
        y = op(
            "RoiAlign",
            x,
            corners,
            op("Cast", op("Squeeze", item, op.ints(1)), to=7),
            output_height=self.pooled[0] + 1,
            output_width=self.pooled[1] + 1,
            sampling_ratio=1,
            spatial_scale=1.0,
            mode="avg",
            coordinate_transformation_mode="half_pixel",
        )
        masks = []
        for i, axis, count in ((0, 3, self.pooled[1]), (1, 2, self.pooled[0])):
            start, stride = (op("Gather", t, op.ints(i), axis=1) for t in (low, step))
            at = op("Add", start, op("Mul", stride, np.arange(count + 1, dtype=np.float32)))  # (R, count + 1)
            edge = op("Sub", op("Cast", op.size(x, axis), to=1), op.const(0.5))
            inside = op("And", op("GreaterOrEqual", at, op.const(-0.5)), op("LessOrEqual", at, edge))
            inside = op("And", inside, op("Greater", stride, op.const(0)))
            masks.append(op("Unsqueeze", op("Cast", inside, to=1), op.ints(1, 5 - axis)))
        return [op("Mul", y, op("Mul", *masks))]  # the large one last
