"""PSROIAlign: R-FCN's position-sensitive score maps, sampled between pixels in the bins of each region."""

import numpy as np

from .core import Arrays, Op, Params, Tensor, Tensors
from .shared.emission import between
from .shared.regions import PositionSensitive


class PSROIAlign(PositionSensitive):
    """y[r, k, i, j] = the sum of samples of x[item, (k g + i) g + j] in bin (i, j) of a g x g grid / S^2, g = group_size, S = sample_num.

    x1 spatial_scale to (x2 + 1) spatial_scale, at least 0.1 wide, not rounded, is cut into g bins, whose ends are kept within the map.
    Sample m = 1 .. S lies m / (S + 1) of the uncut width behind the start of its bin, between four pixels; one that is not before the
    end of its bin counts 0. Rows likewise.

    Shapes: x (N, output_dim g g, H, W), rois (R, 5) -> (R, output_dim, g, g).
    Source: psroi_align_layer.cu of afantideng/R-FCN-PSROIAlign
    """

    types = ("PSROIAlign",)
    note = "of afantideng's R-FCN, which sets sample_num; other forks' without it is refused"

    def read(self, p: Params) -> None:
        q = p.message("psroi_align_param")
        self.read_maps(q)
        if not q.has("sample_num"):
            raise q.refuse(
                "sample_num",
                "sample_num is not set: forks without it take other samples",
                expected="sample_num, of afantideng's R-FCN",
                fix="sample_num: 2, if the net is of that fork, where it is the default",
            )
        self.samples = q.get_positive("sample_num")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, g, s = bottoms[0], self.group, self.samples
        rois, items = self.rois(bottoms)
        single, cells = np.float32, np.arange(g, dtype=np.float32)
        low = rois[:, [2, 1]] * single(self.scale)
        high = (rois[:, [4, 3]] + single(1)) * single(self.scale)
        size = (np.maximum(high - low, single(0.1)) / single(g))[:, :, None]
        limit = np.array(x.shape[2:])[:, None] - 1
        start, end = (np.clip(c * size + low[:, :, None], 0, limit).astype(single) for c in (cells, cells + 1))
        steps = np.arange(1, s + 1, dtype=single) * (size / single(s + 1))[..., None]
        at = start[..., None] + steps  # (R, axis, bin, sample)
        counts = at < end[..., None]
        near = np.floor(at).astype(np.int64).clip(0, limit[..., None])
        far = np.minimum(near + 1, limit[..., None])
        share = np.where(near < limit[..., None], at - near, 0).astype(x.dtype)
        maps = x.reshape(len(x), self.outputs, g, g, *x.shape[2:]).transpose(0, 2, 3, 4, 5, 1)
        i, j = np.arange(g)[:, None, None, None], np.arange(g)[:, None, None]
        y = np.zeros((len(rois), self.outputs, g, g), x.dtype)
        for r, item in enumerate(items):  # (g, g, S, S, output_dim)
            b, a = share[r, 0][:, None, :, None, None], share[r, 1][None, :, None, :, None]
            upper, lower = (
                (1 - a) * maps[item, i, j, rows[:, None, :, None], near[r, 1][:, None]]
                + a * maps[item, i, j, rows[:, None, :, None], far[r, 1][:, None]]
                for rows in (near[r, 0], far[r, 0])
            )
            inside = counts[r, 0][:, None, :, None, None] & counts[r, 1][None, :, None, :, None]
            values = np.where(inside, (1 - b) * upper + b * lower, 0)
            y[r] = (values.sum(axis=(2, 3)) / x.dtype.type(s * s)).transpose(2, 0, 1)
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, rois = bottoms
        g, s, cells = self.group, self.samples, np.arange(self.group, dtype=np.float32)
        rois = op.reshape(rois, -1, 5) if len(rois.shape) != 2 else rois
        item, low, high = op.many(3, "Split", rois, op.ints(1, 2, 2), axis=1)
        low = op("Mul", low, op.const(self.scale))
        high = op("Mul", op("Add", high, op.const(1.0)), op.const(self.scale))
        size = op("Div", op("Max", op("Sub", high, low), op.const(0.1)), op.const(float(g)))
        low, size = (op("Unsqueeze", t, op.ints(2)) for t in (low, size))  # (R, 2, 1): x, y
        last = op("Sub", op.reshape(op("Cast", op.ints(op.size(x, 3), op.size(x, 2)), to=1), 2, 1), op.const(1.0))
        start, end = (
            op("Min", op("Max", op("Add", op("Mul", size, c), low), op.const(0.0)), last) for c in (cells, cells + 1)
        )
        step = op("Unsqueeze", op("Div", size, op.const(float(s + 1))), op.ints(3))
        start, end, last = (op("Unsqueeze", t, op.ints(3)) for t in (start, end, op("Unsqueeze", last, op.ints(0))))
        at = op("Add", start, op("Mul", step, np.arange(1, s + 1, dtype=np.float32)))  # (R, 2, g, S)
        counts = op("Cast", op("Less", at, end), to=1)
        at = op("Min", at, last)
        near = op("Floor", at)
        far = op("Min", op("Add", near, op.const(1.0)), last)
        places = op("Cast", op("Concat", near, far, axis=1), to=7)  # columns, rows; those behind them
        count = op.size(rois, 0)
        parts = op.reshape(x, op.size(x, 0), self.outputs, g, g, op.size(x, 2), op.size(x, 3))
        maps = op("Transpose", parts, perm=(0, 2, 3, 4, 5, 1))  # (N, g, g, H, W, output_dim)
        indices = np.moveaxis(np.indices((g, g)), 0, -1)[None, :, :, None, None]
        whole = op.ints(count, g, g, s, s, 1)
        of = op("Expand", op.reshape(op("Cast", item, to=7), -1, 1, 1, 1, 1, 1), whole)
        grid = op("Expand", op.const(indices, "int64"), op.ints(count, g, g, s, s, 2))

        def spread(t: Tensor, index: int) -> Tensor:
            """Columns (an even index) or rows of (R, n, g, S) as (R, g, g, S, S, 1)."""
            shape = (-1, 1, g, 1, s, 1) if index % 2 == 0 else (-1, g, 1, s, 1, 1)
            return op.reshape(op("Gather", t, op.ints(index), axis=1), *shape)

        def pixels(row: int, column: int) -> Tensor:
            rows, columns = (op("Expand", spread(places, n), whole) for n in (row, column))
            return op("GatherND", maps, op("Concat", of, grid, rows, columns, axis=5))

        a, b = (spread(op("Sub", at, near), n) for n in (0, 1))
        upper, lower = (between(op, pixels(row, 0), pixels(row, 2), a) for row in (1, 3))
        values = between(op, upper, lower, b)
        values = op("Mul", values, op("Mul", spread(counts, 0), spread(counts, 1)))
        total = op("ReduceSum", values, op.ints(3, 4), keepdims=0)
        return [op("Transpose", op("Div", total, op.const(float(s * s))), perm=(0, 3, 1, 2))]
