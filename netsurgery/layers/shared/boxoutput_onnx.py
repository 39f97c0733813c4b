"""The choice of BoxOutput among its boxes as ONNX nodes."""

from __future__ import annotations

from ..core import Op, Tensor
from .boxes_onnx import LOWEST, emit_nms, emit_only_best
from .emission import emit_range, pick
from .greedy_onnx import emit_greedy


def emit_choice(
    op: Op, box: Tensor, score: Tensor, fits: Tensor, *, before: int, after: int, overlap: float, measure: str
) -> Tensor:
    """Rows (image, x1, y1, x2, y2, score) of boxes (N, M, 4) as x, y, w, h, scores (N, M), and whether they count (N, M)."""
    low, size = op.many(2, "Split", box, op.ints(2, 2), axis=2)
    corners = op("Concat", low, op("Add", low, size), axis=2)
    # of equal scores the later box is the better one: let it stand first
    backwards = (op.ints(-1), op.ints(-(2**63) + 1), op.ints(1), op.ints(-1))
    corners = op("Slice", corners, *backwards)
    score = op("Slice", op("Where", fits, score, op.const(LOWEST)), *backwards)
    score = op("Unsqueeze", score, op.ints(1))
    if before:
        score = emit_only_best(op, score, before)
    if measure == "IOU":
        most = op.ints(after) if after else op.size(score, 2)
        survivors = emit_nms(op, corners, score, most, overlap, LOWEST)
        survivors = op("Gather", survivors, op.ints(0, 2), axis=1)
    else:
        survivors = _emit_others(op, corners, op("Squeeze", score, op.ints(1)), after, overlap, measure)
    image, place = op.many(2, "Split", survivors, op.ints(1, 1), axis=1)
    best = op("GatherND", score, op("Concat", image, op("Sub", image, image), place, axis=1))
    return op(
        "Concat", op("Cast", image, to=1), op("GatherND", corners, survivors), op("Unsqueeze", best, op.ints(1)), axis=1
    )


def _emit_others(op: Op, corners: Tensor, score: Tensor, after: int, overlap: float, measure: str) -> Tensor:
    """(image, box) of those that stay, by image and falling score, of corners (N, M, 4) and scores (N, M), LOWEST for those that
    do not count. All images are gone through as one, by falling score; boxes of others do not touch."""
    pairs = op("Transpose", op("NonZero", op("Greater", score, op.const(LOWEST))), perm=(1, 0))
    chance = op("GatherND", score, pairs)
    _, order = op.many(2, "TopK", chance, op.size(chance, 0), axis=0)
    pairs = op("Gather", pairs, order)
    image = op("Pad", op("Gather", pairs, op.const(0, "int64"), axis=1), op.ints(0, 1))
    box = op("Pad", op("GatherND", corners, pairs), op.ints(0, 0, 1, 0))
    low, high = op.many(2, "Split", box, op.ints(2, 2), axis=1)
    area = _emit_product(op, op("Sub", high, low))

    def suppressed(inner: Op, best: Tensor, rest: Tensor) -> Tensor:
        (low1, high1, area1, image1), (low2, high2, area2, image2) = (
            [inner("Gather", x, at, axis=0) for x in (low, high, area, image)] for at in (best, rest)
        )
        sides = inner("Relu", inner("Sub", inner("Min", high1, high2), inner("Max", low1, low2)))
        whole = area1 if measure == "IOFU" else inner("Min", area1, area2)
        over = inner("Greater", inner("Div", _emit_product(inner, sides), whole), inner.const(overlap))
        return inner("And", over, inner("Equal", image1, image2))

    survivors = op("Gather", pairs, emit_greedy(op, op.size(pairs, 0), None, suppressed))
    image = op("Gather", survivors, op.const(0, "int64"), axis=1)
    _, order = op.many(2, "TopK", op("Neg", op("Cast", image, to=1)), op.size(image, 0), axis=0)
    survivors, image = op("Gather", survivors, order), op("Gather", image, order)
    if not after:
        return survivors
    numbers = emit_range(op, op.size(image, 0))
    earlier = op("Less", op("Unsqueeze", image, op.ints(0)), op("Unsqueeze", image, op.ints(1)))
    rank = op("Sub", numbers, op("ReduceSum", op("Cast", earlier, to=7), op.ints(1), keepdims=0))
    return pick(op, op("Less", rank, op.ints(after)), survivors)[0]


def _emit_product(op: Op, sides: Tensor) -> Tensor:
    """(K, 2) -> (K)."""
    width, height = op.many(2, "Split", sides, op.ints(1, 1), axis=1)
    return op("Squeeze", op("Mul", width, height), op.ints(1))
