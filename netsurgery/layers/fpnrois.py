"""The Python layers rpn.as_rois_mrcnn and rpn.as_rois of FPN: which map each region is pooled from."""

import numpy as np

from .core import Array, Arrays, Op, Rng, Sample, Shapes, Sizes, Tensor, Tensors, by_data, product
from .shared.boxes_onnx import emit_none
from .shared.emission import pick
from .shared.python_layers import NoSettings

LEAST, MOST = 2, 5
USUAL_SIDE = 224
"""The side of a region that belongs to level 4."""


class RegionLevels(NoSettings):
    """A region of w = x2 - x1 and h = y2 - y1 has level floor(4 + log2(sqrt(w h) / 224)), cut to 2 .. 5; where w h is not
    positive it counts as 1e-6. The first top has the regions by level, then one top for each level has its own; the order within is kept.
    A level without any has four rows of zeros, in the first top as well.

    Shapes: (R, 5) -> (.., 5) for all and for levels 2, 3, 4, 5.
    Source: unsky/FPN, lib/rpn/as_rois_mrcnn.py
    """

    types = ("Python:rpn.as_rois_mrcnn.As_rois_MergeRcnnLayer",)
    tops = (5, 5)
    choices = (0, 1, 2, 3, 4)
    columns = -1
    note = "of FPN"

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.require(product(bottoms[0][1:]), 5, "numbers per region")
        return [(by_data(self.name, level), 5) for level in ("all", *range(LEAST, MOST + 1))]

    def filled(self, rows: Array) -> Array:
        """The rows of a level as they are given."""
        return rows if len(rows) else np.zeros((4, 5), rows.dtype)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        rois = bottoms[0].reshape(-1, 5)
        single = rois.astype(np.float32)  # they decide the levels
        area = (single[:, 3] - single[:, 1]) * (single[:, 4] - single[:, 2])
        area = np.where(area <= 0, np.float32(1e-6), area)
        level = np.floor(4 + np.log2(np.sqrt(area) / USUAL_SIDE)).clip(LEAST, MOST)
        levels = [self.filled(rois[level == i]) for i in range(LEAST, MOST + 1)]
        return [np.concatenate(levels), *levels]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        rois = op.reshape(bottoms[0], -1, 5)
        low, high = (op("Gather", rois, op.ints(*at), axis=1) for at in ((1, 2), (3, 4)))
        w, h = op.many(2, "Split", op("Sub", high, low), op.ints(1, 1), axis=1)
        area = op("Mul", w, h)
        area = op("Where", op("LessOrEqual", area, op.const(0)), op.const(1e-6), area)
        octave = op("Mul", op("Log", op("Div", op("Sqrt", area), op.const(USUAL_SIDE))), op.const(1 / np.log(2)))
        level = op("Clip", op("Floor", op("Add", octave, op.const(4))), op.const(LEAST), op.const(MOST))
        level = op("Squeeze", level, op.ints(1))
        levels = [
            self.emit_filled(op, pick(op, op("Equal", level, op.const(i)), rois)[0]) for i in range(LEAST, MOST + 1)
        ]
        return [op("Concat", *levels, axis=0), *levels]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        corners = rng.uniform(0, 300, (*shapes[0][:1], 2))
        rows = [np.zeros((len(corners), 1)), corners, corners + rng.uniform(8, 600, corners.shape)]
        return np.concatenate(rows, axis=1).reshape(shapes[0])

    def emit_filled(self, op: Op, rows: Tensor) -> Tensor:
        blank = op("Mul", emit_none(op, rows), op.ints(4))
        return op("Concat", rows, op("Expand", op.const(0), op.ints(blank, 5)), axis=0)


class PaddedRegionLevels(RegionLevels):
    """As RegionLevels, each level filled up to 1000 rows by rows of zeros.

    Shapes: (R, 5) -> (4000, 5), four times (1000, 5).
    Source: unsky/FPN, lib/rpn/as_rois.py
    """

    types = ("Python:rpn.as_rois.As_roisLayer",)
    rows = 1000

    def shapes(self, bottoms: Shapes) -> Shapes:
        super().shapes(bottoms)
        return [(4 * self.rows, 5), *[(self.rows, 5)] * 4]

    def filled(self, rows: Array) -> Array:
        full = np.zeros((self.rows, 5), rows.dtype)
        full[: len(rows)] = rows[: self.rows]
        return full

    def emit_filled(self, op: Op, rows: Tensor) -> Tensor:
        full = op("Concat", rows, op.const(np.zeros((self.rows, 5))), axis=0)
        return op("Slice", full, op.ints(0), op.ints(self.rows), op.ints(0))
