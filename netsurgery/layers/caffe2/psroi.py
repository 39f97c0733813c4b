"""PSROIPooling as operators of Caffe2: sums of rectangles as differences of running sums."""

from __future__ import annotations

from math import inf

import numpy as np

from ..core import Op, Tensor, Tensors
from .operators import cast, part


def emit_psroi(op: Op, x: Tensor, rois: Tensor, g: int, outputs: int, scale: float) -> Tensors:
    """The mean of each cell of each region, of the map of that cell: g x g cells, `outputs` maps for each."""
    cells = np.arange(g)
    rois = rois if len(rois.shape) == 2 else op.reshape(rois, -1, 5)
    h, w = (op.number(n) for n in x.shape[2:])
    item = op.reshape(cast(op, part(op, rois, 2, 1, 0, 1), "int64"), -1, 1, 1)
    edges = part(op, rois, 2, 1, 1, 5)
    amount = op("Abs", edges)
    whole = op("Floor", amount)
    up = cast(op, op("GE", op("Sub", amount, whole), op.const(0.5)), "float")
    rounded = op("Mul", op("Sign", edges), op("Add", whole, up))  # halves away from zero
    low, high = op.many(2, "Split", rounded, axis=1, split=(2, 2))  # (R, 2): x, y
    low = op("Mul", low, op.const(scale))
    high = op("Mul", op("Add", high, op.const(1.0)), op.const(scale))
    size = op("Clip", op("Sub", high, low), min=float(np.float32(0.1)), max=inf)
    size = op("Div", size, op.const(float(g)))
    bounds = []  # first column, first row, last column, last row of each cell: (R, 1, g) and (R, g, 1), whole numbers as floats
    for rounding, cell in (("Floor", cells), ("Ceil", cells + 1)):
        for axis, (limit, shape) in enumerate(((w, (1, g)), (h, (g, 1)))):
            span, start = (op.reshape(part(op, t, 2, 1, axis, axis + 1), -1, 1, 1) for t in (size, low))
            edge = op(rounding, op("Add", op("Mul", span, op.const(cell.reshape(shape))), start))
            bounds.append(op("Clip", edge, min=0.0, max=float(limit)))
    left, top, right, bottom = bounds
    # sums of all that is above and left of each pixel, of the maps without their means: differences of large sums follow
    mean = op("ReduceMean", x, axes=(2, 3), keepdims=1)
    centred = op("Sub", x, mean)
    above, before = (op.const(np.tri(n + 1, n, -1)) for n in (h, w))
    sums = op("BatchMatMul", op("BatchMatMul", above, centred, broadcast=1), before, trans_b=1, broadcast=1)
    grid = op.reshape(sums, -1, outputs, g * g, (h + 1) * (w + 1))
    rows = op.reshape(op("Transpose", grid, axes=(0, 2, 3, 1)), -1, outputs)  # one for each cell and pixel
    of_cell = op.const(np.arange(g * g).reshape(1, g, g), "int64")
    first = op("Add", op("Mul", item, op.ints(g * g)), of_cell)  # (R, g, g)

    def total(row: Tensor, column: Tensor) -> Tensor:
        place = cast(op, op("Add", op("Mul", row, op.const(float(w + 1))), column), "int64")
        return op("Gather", rows, op("Add", op("Mul", first, op.ints((h + 1) * (w + 1))), place), axis=0)

    covered = op(
        "Sub", op("Sub", total(bottom, right), total(top, right)), op("Sub", total(bottom, left), total(top, left))
    )
    height, width = (op("Relu", op("Sub", b, a)) for a, b in ((top, bottom), (left, right)))
    area = op("ExpandDims", op("Mul", height, width), dims=(3,))  # (R, g, g, 1)
    means = op.reshape(op("Transpose", op.reshape(mean, -1, outputs, g * g), axes=(0, 2, 1)), -1, outputs)
    y = op("Add", op("Div", covered, op("Clip", area, min=1.0, max=inf)), op("Gather", means, first, axis=0))
    y = op("Mul", y, cast(op, op("GT", area, op.const(0.0)), "float"))
    return [op("Transpose", y, axes=(0, 3, 1, 2))]
