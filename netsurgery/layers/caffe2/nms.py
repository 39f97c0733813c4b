"""OpenPose's peaks as operators of Caffe2: BooleanMask also tells where what it keeps stood."""

from __future__ import annotations

from ..core import Op, Tensor
from .boxes import INT32
from .operators import cast, full, pad_image, part


def emit_peaks(op: Op, x: Tensor, parts: int, most: int, threshold: float, near: int) -> Tensor:
    """x (1, C, H, W) -> (1, parts, most + 1, 3), as the layer has it."""
    x = x if x.shape[1] == parts else part(op, x, 4, 1, 0, parts)

    def middle(y: Tensor, row: int, column: int) -> Tensor:
        """y without two rows and columns of the edge, seen `row` and `column` from the middle."""
        return part(op, part(op, y, 4, 2, 1 + row, row - 2), 4, 3, 1 + column, column - 2)

    inner = middle(x, 0, 0)
    sides = op("MaxPool", x, kernels=(1, 3))
    best = op("Max", part(op, sides, 4, 2, 0, -3), part(op, sides, 4, 2, 2, -1), middle(x, 0, -1), middle(x, 0, 1))
    peak = op("And", op("GT", inner, best), op("GT", inner, op.const(threshold)))
    count = op.reshape(op("ReduceSum", cast(op, peak, "float"), axes=(0, 2, 3), keepdims=0), -1)
    score, at = op.many(2, "BooleanMask", op.reshape(inner, -1), op.reshape(peak, -1))
    height, width = op.size(x, 2), op.size(x, 3)
    rows, columns = (op("Sub", n, op.ints(2)) for n in (height, width))
    line = op("Div", at, columns)  # rows of all parts, one below the other
    column = op("Add", op("Sub", at, op("Mul", line, columns)), op.ints(1))
    of = op("Div", line, rows)
    row = op("Add", op("Sub", line, op("Mul", of, rows)), op.ints(1))
    first = cast(op, op("LengthsToOffsets", op("Cast", count, to=INT32)), "int64")
    rank = op("Sub", op("Range", op("Shape", at, axes=(0,))), op("Gather", first, of))
    mask = op("LT", rank, op.ints(most))
    score, row, column, of, rank = (op("BooleanMask", y, mask) for y in (score, row, column, of, rank))
    heavy = pad_image(op, part(op, part(op, op("Relu", x), 4, 2, 1, -1), 4, 3, 1, -1), 1, 1, 0, 0)
    across = op.reshape(cast(op, op("Range", width), "float"), 1, 1, 1, -1)
    down = op.reshape(cast(op, op("Range", height), "float"), 1, 1, -1, 1)
    place = op("Add", op("Mul", op("Add", op("Mul", of, height), row), width), column)
    sums = [heavy, op("Mul", heavy, across), op("Mul", heavy, down)]
    windows = {"kernels": (2 * near + 1,) * 2, "pads": (near,) * 4, "count_include_pad": 1}
    mass, x_sum, y_sum = (
        op("Gather", op.reshape(op("AveragePool", y, shape=None, **windows), -1), place) for y in sums
    )
    numbers = [op.reshape(y, -1, 1) for y in (op("Div", x_sum, mass), op("Div", y_sum, mass), score)]
    index = op("Mul", op("Add", op("Mul", of, op.ints(most)), rank), op.ints(3))
    index = op.reshape(op("Add", op.reshape(index, -1, 1), op.ints(0, 1, 2)), -1)
    peaks = op(
        "Scatter", full(op, 0.0, parts * most * 3), index, op.reshape(op("Concat", *numbers, axis=1), -1), axis=0
    )
    head = op("Mul", op.reshape(count, -1, 1, 1), op.const([1.0, 0.0, 0.0]))
    return op.reshape(op("Concat", head, op.reshape(peaks, parts, most, 3), axis=1), 1, parts, most + 1, 3)
