"""Rotated rectangles as ONNX nodes, for `emit`. What `forward` needs is in rotated.py."""

from __future__ import annotations

import numpy as np

from ..core import Op, Tensor
from .greedy_onnx import emit_greedy

SIDES = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]], np.float32)
"""The corners of a rectangle, in halves of (width, height)."""
MARGIN = 1e-3
"""How far below the threshold a bound must lie to decide."""


def emit_rotated_corners(op: Op, boxes: Tensor) -> Tensor:
    """(N, 5) as cx, cy, h, w, angle -> (N, 4, 2)."""
    centre, size, angle = op.many(3, "Split", boxes, op.ints(2, 2, 1), axis=1)
    half = op("Mul", op("Gather", size, op.ints(1, 0), axis=1), op.const(0.5))
    x, y = op.many(2, "Split", op("Mul", op("Unsqueeze", half, op.ints(1)), SIDES), op.ints(1, 1), axis=2)
    angle = op("Unsqueeze", op("Mul", angle, op.const(np.pi / 180)), op.ints(2))
    c, s = op("Cos", angle), op("Sin", angle)
    turned = [op("Add", op("Mul", c, x), op("Mul", s, y)), op("Sub", op("Mul", c, y), op("Mul", s, x))]
    return op("Add", op("Concat", *turned, axis=2), op("Unsqueeze", centre, op.ints(1)))


def emit_cross(op: Op, a: Tensor, b: Tensor) -> Tensor:
    """(.., 2) and (.., 2) -> (..): a0 b1 - a1 b0."""
    product = op("Mul", a, op("Gather", b, op.ints(1, 0), axis=-1))
    first, second = op.many(2, "Split", product, op.ints(1, 1), axis=-1)
    return op("Squeeze", op("Sub", first, second), op.ints(-1))


def emit_inside(op: Op, points: Tensor, rectangles: Tensor) -> Tensor:
    """Whether points (n, 4, 2) lie in rectangles (m, 4, 2), n or m being 1 or both alike: (.., 4)."""
    first = op("Gather", rectangles, op.ints(0), axis=1)
    sides = op("Sub", op("Gather", rectangles, op.ints(1, 3), axis=1), first)  # (m, 2, 2)
    along = op("MatMul", op("Sub", points, first), op("Transpose", sides, perm=(0, 2, 1)))  # (.., 4, 2)
    length = op("ReduceSum", op("Mul", sides, sides), op.ints(2), keepdims=0)
    within = op("LessOrEqual", along, op("Unsqueeze", length, op.ints(1)))
    both = op("And", within, op("GreaterOrEqual", along, op.const(0)))
    left, right = op.many(2, "Split", op("Cast", both, to=1), op.ints(1, 1), axis=2)
    return op("Squeeze", op("Mul", left, right), op.ints(2))


def emit_shared_area(op: Op, one: Tensor, others: Tensor) -> Tensor:
    """Of (1, 4, 2) with each of (N, 4, 2), as shared_area: (N)."""
    n = op.size(others, 0)
    following = op.ints(1, 2, 3, 0)
    start, end = (op("Unsqueeze", x, op.ints(2)) for x in (one, op("Gather", one, following, axis=1)))
    c, d = (op("Unsqueeze", x, op.ints(1)) for x in (others, op("Gather", others, following, axis=1)))
    side = op("Sub", end, start)
    abc, abd = (emit_cross(op, side, op("Sub", x, start)) for x in (c, d))
    cda = emit_cross(op, op("Sub", c, start), op("Sub", d, start))
    cdb = op("Sub", op("Add", cda, abc), abd)
    apart, across = (op("Less", op("Mul", x, y), op.const(0)) for x, y in ((abc, abd), (cda, cdb)))
    crosses = op("And", apart, across)  # (N, 4, 4)
    t = op("Div", cda, op("Where", crosses, op("Sub", abd, abc), op.const(1)))
    met = op("Add", start, op("Mul", op("Unsqueeze", t, op.ints(3)), side))
    many = op("Expand", one, op("Shape", others))
    points = op("Concat", many, others, op.reshape(met, n, 16, 2), axis=1)  # (N, 24, 2)
    crosses = op.reshape(op("Cast", crosses, to=1), n, 16)
    valid = op("Concat", emit_inside(op, one, others), emit_inside(op, others, one), crosses, axis=1)
    count = op("Max", op("ReduceSum", valid, op.ints(1), keepdims=1), op.const(1))
    weighed = op("ReduceSum", op("Mul", points, op("Unsqueeze", valid, op.ints(2))), op.ints(1), keepdims=1)
    away = op("Sub", points, op("Div", weighed, op("Unsqueeze", count, op.ints(2))))
    x, y = (op("Squeeze", v, op.ints(2)) for v in op.many(2, "Split", away, op.ints(1, 1), axis=2))
    distance = op("Max", op("Sqrt", op("Add", op("Mul", x, x), op("Mul", y, y))), op.const(1e-30))
    right = op("Div", x, distance)  # falls along the upper half circle, rises along the lower
    key = op("Where", op("Less", y, op.const(0)), op("Sub", op.const(-2), right), right)
    key = op("Where", op("Greater", valid, op.const(0)), key, op.const(9))
    _, order = op.many(2, "TopK", key, op.ints(24), axis=1, largest=0)
    first = op("Gather", order, op.ints(0), axis=1)
    order = op("Where", op("Greater", op("GatherElements", valid, order, axis=1), op.const(0)), order, first)
    points = op("GatherND", points, op("Unsqueeze", order, op.ints(2)), batch_dims=1)
    origin = op("Slice", points, op.ints(0), op.ints(1), op.ints(1))
    before, behind = (
        op("Sub", op("Slice", points, op.ints(a), op.ints(b), op.ints(1)), origin) for a, b in ((1, 23), (2, 24))
    )
    area = op("ReduceSum", op("Abs", emit_cross(op, before, behind)), op.ints(1), keepdims=0)
    return op("Mul", area, op.const(0.5))


def emit_rotated_suppress(op: Op, boxes: Tensor, overlap: float, most: int) -> Tensor:
    """Which of boxes (N, 5), best first, are survivors: int64 (K)."""
    count, boxes = op.size(boxes, 0), op("Pad", boxes, op.ints(0, 0, 1, 0))
    height, width = (op("Gather", boxes, op.const(i, "int64"), axis=1) for i in (2, 3))
    corners, area = emit_rotated_corners(op, boxes), op("Mul", height, width)

    def suppressed(inner: Op, best: Tensor, rest: Tensor) -> Tensor:
        mine, theirs = inner("Gather", area, best), inner("Gather", area, rest)
        # what two share is at most the lesser of them: most pairs cannot reach the threshold
        ratio = inner("Div", inner("Min", mine, theirs), inner("Max", mine, theirs))
        near = inner("Squeeze", inner("NonZero", inner("Greater", ratio, inner.const(overlap - MARGIN))), inner.ints(0))
        one, others = (
            inner("Gather", corners, best, axis=0),
            inner("Gather", corners, inner("Gather", rest, near), axis=0),
        )
        shared = emit_shared_area(inner, one, others)
        both = inner("Sub", inner("Add", mine, inner("Gather", theirs, near)), shared)
        over = inner("Greater", inner("Div", shared, both), inner.const(overlap))
        none = inner("Expand", inner.const(False, "bool"), inner("Shape", rest))
        return inner("ScatterElements", none, near, over, axis=0)

    return emit_greedy(op, count, most, suppressed)
