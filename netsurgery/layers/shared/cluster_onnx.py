"""Groups of boxes as ONNX nodes, as OpenCV's groupRectangles finds them: for `emit` of ClusterDetections."""

from __future__ import annotations

from typing import Protocol

from ..core import Op, Tensor, Tensors
from .emission import emit_range, pick


class Grouping(Protocol):
    """What decides the groups."""

    coverage: float
    eps: float
    least: int
    height: int
    most: int
    rows: int
    cell: tuple[int, int]


def emit_clusters(op: Op, how: Grouping, coverage: Tensor, boxes: Tensor, doublings: int) -> Tensor:
    """coverage (N, 1, H, W), boxes (N, 4, H, W) -> (N, most, 5). A chain of alike boxes is at most 2^doublings long."""

    def one(inner: Op, chance: Tensor, numbers: Tensor) -> Tensors:
        rows = inner(
            "Slice", inner("Squeeze", chance, inner.ints(0)), inner.ints(0), inner.ints(how.rows), inner.ints(0)
        )
        at = inner("Transpose", inner("NonZero", inner("GreaterOrEqual", rows, inner.const(how.coverage))), perm=(1, 0))
        place = inner("Mul", inner("Gather", at, inner.ints(1, 0, 1, 0), axis=1), inner.ints(*how.cell, *how.cell))
        box = inner("GatherND", inner("Transpose", numbers, perm=(1, 2, 0)), at)
        box = inner("Add", box, inner("Cast", place, to=1))
        low, high = inner.many(2, "Split", box, inner.ints(2, 2), axis=1)
        box = inner("Concat", low, inner("Sub", high, low), axis=1)
        box = inner("Cast", inner("Cast", box, to=7), to=1)  # cut to whole numbers
        return [_emit_groups(inner, how, box, doublings)]

    body = op.body(one, ["coverage", "boxes"])
    return op("Scan", coverage, boxes, body=body, num_scan_inputs=2)


def _emit_groups(op: Op, how: Grouping, box: Tensor, doublings: int) -> Tensor:
    """The rows (most, 5) of boxes (K, 4), each as x, y, w, h."""
    low, size = op.many(2, "Split", box, op.ints(2, 2), axis=1)
    ends = op("Concat", low, op("Add", low, size), axis=1)
    apart = op("Abs", op("Sub", op("Unsqueeze", ends, op.ints(1)), op("Unsqueeze", ends, op.ints(0))))  # (K, K, 4)
    least = op("Min", op("Unsqueeze", size, op.ints(1)), op("Unsqueeze", size, op.ints(0)))
    near = op("Mul", op("ReduceSum", least, op.ints(2), keepdims=1), op.const(how.eps * 0.5))
    far = op("Cast", op("Greater", apart, near), to=1)
    alike = op("Cast", op("Equal", op("ReduceSum", far, op.ints(2), keepdims=0), op.const(0)), to=1)
    for _ in range(doublings):  # who is alike to one that is alike is of the same group
        alike = op("Min", op("MatMul", alike, alike), op.const(1))
    many = op("ReduceSum", alike, op.ints(1), keepdims=1)  # (K, 1)
    mean = op("Round", op("Mul", op("MatMul", alike, box), op("Div", op.const(1), many)))
    numbers = emit_range(op, op.size(box, 0))
    before = op("Less", op("Unsqueeze", numbers, op.ints(0)), op("Unsqueeze", numbers, op.ints(1)))
    leaders = op("ReduceSum", op("Mul", alike, op("Cast", before, to=1)), op.ints(1), keepdims=0)
    first = op("Equal", leaders, op.const(0))
    large = op("Greater", op("Squeeze", many, op.ints(1)), op.const(how.least))
    stands = op("And", first, large)  # (K): the first of a group that is large enough
    low, size = op.many(2, "Split", mean, op.ints(2, 2), axis=1)
    wide = op("Round", op("Mul", size, op.const(how.eps)))
    over = op(
        "Sub", op("Unsqueeze", op("Sub", low, wide), op.ints(0)), op("Unsqueeze", low, op.ints(1))
    )  # (inner, outer, 2)
    high = op("Add", low, size)
    under = op("Sub", op("Unsqueeze", high, op.ints(1)), op("Unsqueeze", op("Add", high, wide), op.ints(0)))
    out = op("Cast", op("Greater", op("Concat", over, under, axis=2), op.const(0)), to=1)
    inside = op("Equal", op("ReduceSum", out, op.ints(2), keepdims=0), op.const(0))
    others = op("Transpose", many, perm=(1, 0))  # how many the outer one has
    weak = op("Or", op("Greater", others, op("Max", many, op.const(3))), op("Less", many, op.const(3)))
    another = op("Not", op("Equal", op("Unsqueeze", numbers, op.ints(1)), op("Unsqueeze", numbers, op.ints(0))))
    hides = op("And", op("And", inside, weak), op("And", another, op("Unsqueeze", stands, op.ints(0))))
    hidden = op("Greater", op("ReduceSum", op("Cast", hides, to=1), op.ints(1), keepdims=0), op.const(0))
    height = op("Gather", size, op.const(1, "int64"), axis=1)
    tall = op("GreaterOrEqual", height, op.const(how.height))
    survivors = op("And", op("And", stands, tall), op("Not", hidden))
    rows = pick(op, survivors, op("Concat", low, high, op("Log", many), axis=1))[0]
    rows = op("Cast", op("Cast", rows, to=10), to=1)
    # more rows than there is room for are an error in the fork, and here
    place = emit_range(op, op.size(rows, 0))
    blank = op("Expand", op.const(0), op.ints(how.most, 5))
    return op("ScatterND", blank, op("Unsqueeze", place, op.ints(1)), rows)
