"""Arithmetic on boxes (x1, y1, x2, y2) as ONNX nodes, for `emit` of the detection layers. What `forward` needs is in boxes.py."""

from __future__ import annotations

import numpy as np

from ..core import Op, Tensor
from .emission import emit_range, pick, reduce

LOWEST = float(np.finfo(np.float32).min)
"""Below every score: what scores become that are out of the running."""


def emit_halves(op: Op, x: Tensor, axis: int = -1, half: int = 2) -> tuple[Tensor, ...]:
    """x split in two along an axis of size 2 * half."""
    return op.many(2, "Split", x, op.ints(half, half), axis=axis)


def emit_corners(op: Op, centre: Tensor, half: Tensor) -> Tensor:
    """(.., 2) centres and half sides -> (.., 4) corners."""
    return op("Concat", op("Sub", centre, half), op("Add", centre, half), axis=-1)


def emit_decode(op: Op, prior: Tensor, variance: Tensor | None, loc: Tensor, code: str) -> Tensor:
    """SSD's boxes from predictions, as DecodeBBox has them."""
    t = loc if variance is None else op("Mul", variance, loc)
    if code == "CORNER":
        return op("Add", prior, t)
    low, high = emit_halves(op, prior)
    size = op("Sub", high, low)
    if code == "CORNER_SIZE":
        return op("Add", prior, op("Mul", t, op("Concat", size, size, axis=-1)))
    shift, growth = emit_halves(op, t)
    middle = op("Mul", op("Add", low, high), op.const(0.5))
    half = op("Mul", op("Exp", growth), op("Mul", size, op.const(0.5)))
    return emit_corners(op, op("Add", op("Mul", shift, size), middle), half)


def emit_none(op: Op, rows: Tensor) -> Tensor:
    """1 where there are no rows, else 0: int64 (1). Not by Equal, which tract and onnxslim take for false without looking."""
    return op("Sub", op.ints(1), op("Min", op.size(rows, 0), op.ints(1)))


def emit_stand_in(op: Op, x: Tensor, number: float, axis: int = 1) -> Tensor:
    """x (N, .., ..) with one more box or score along `axis`, of this number: where all that is found is the stand-in, nothing is."""
    ends = [0] * 6
    ends[3 + axis] = 1
    return op("Pad", x, op.ints(*ends), op.const(number))


def emit_rows_or_none(op: Op, rows: Tensor, batch: Tensor, width: int = 7, real: Tensor | None = None) -> Tensor:
    """Rows (K, width) as (1, 1, K, width); where K is 0, (i, -1, -1, ..) for each image i. `real` (K), 0 or 1: which rows count, the others
    being stand-ins."""
    if real is not None:
        none = op("Sub", op.ints(1), op("ReduceMax", real, keepdims=1))
        images = op("Range", op.const(0, "int64"), op("Squeeze", batch, op.ints(0)), op.const(1, "int64"))
        blank = op("Pad", op.reshape(op("Cast", images, to=1), -1, 1), op.ints(0, 0, 0, width - 1), op.const(-1))
        flags = op("Concat", real, op("Expand", none, batch), axis=0)
        (rows,) = pick(op, flags, op("Concat", rows, blank, axis=0))
        return op.reshape(rows, 1, 1, -1, width)
    images = emit_range(op, op("Mul", emit_none(op, rows), batch))
    blank = op("Pad", op.reshape(op("Cast", images, to=1), -1, 1), op.ints(0, 0, 0, width - 1), op.const(-1))
    return op.reshape(op("Concat", rows, blank, axis=0), 1, 1, -1, width)


def emit_grid(op: Op, w: Tensor, h: Tensor, repeat: int = 1) -> Tensor:
    """(h, w, 1, 2 * repeat): for each cell its column and row, `repeat` times."""

    def count(n: Tensor, axes: int, mask: list[int]) -> Tensor:
        numbers = emit_range(op, n)
        return op("Mul", op("Cast", op.reshape(numbers, -1, *[1] * axes), to=1), op.const(mask * repeat))

    return op("Add", count(h, 3, [0, 1]), count(w, 2, [1, 0]))


def emit_nms(
    op: Op,
    boxes: Tensor,
    scores: Tensor,
    most: Tensor,
    overlap: float,
    threshold: float | None = None,
    centred: bool = False,
) -> Tensor:
    """NonMaxSuppression of boxes (N, P, 4) with scores (N, C, P): int64 (K, 3). Its numbers are vectors of one, `most` included: some
    runtimes take no scalars."""
    numbers = [op.const([min(overlap, 1.0)]), None if threshold is None else op.const([threshold])]
    return op("NonMaxSuppression", boxes, scores, most, *numbers, center_point_box=1 if centred else None)


def emit_suppress(
    op: Op, boxes: Tensor, scores: Tensor, overlap: float, *, at_equal: bool = False, most: int | None = None
) -> Tensor:
    """Which of boxes (R, 4) with scores (R) are kept, best first, equal ones as they stand: int64 (K). `at_equal`: boxes
    that reach `overlap` go too."""
    if at_equal and overlap <= 0:
        most = 1
    elif at_equal:  # float32 has nothing between this number and the threshold
        overlap = float(np.nextafter(np.float32(overlap), np.float32(0)))
    limit = op.size(scores, 0) if most is None else op.ints(most)
    boxes, scores = op("Unsqueeze", boxes, op.ints(0)), op("Unsqueeze", scores, op.ints(0, 1))
    survivors = emit_nms(op, boxes, scores, limit, overlap)
    return op("Gather", survivors, op.const(2, "int64"), axis=1)


def emit_best_class(op: Op, boxes: Tensor, scores: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of boxes (R, 4) with scores (R, C) those of which a class exceeds `threshold`, and where their scores are candidates of one
    suppression over all classes: bool (K, C). Of a box only the best class is one: what drops it drops the others, and a box overlaps
    itself by 1. Where its area is 0, infinite or no number, it overlaps nothing: then all are that exceed `threshold`."""
    limit, least = op.const(threshold), op.const(float(np.nextafter(np.float32(threshold), np.float32(np.inf))))
    best = reduce(op, "ReduceMax", scores, [1])
    exceeds = op("Not", op("LessOrEqual", best, limit))  # also where one of the scores is no number
    boxes, scores, best = pick(op, exceeds, boxes, scores, best)
    low, high = emit_halves(op, boxes)
    area = op("Mul", *emit_halves(op, op("Sub", high, low), half=1))
    alone = op("Not", op("GreaterOrEqual", op("Div", area, area), op.const(1.0)))
    best = op("Unsqueeze", best, op.ints(1))
    other = op("Or", alone, op("Not", op("Greater", best, limit)))
    return boxes, scores, op("GreaterOrEqual", scores, op("Where", other, least, best))


def emit_yolo_rows(
    op: Op, boxes: Tensor, scores: Tensor, mask: Tensor, labels: Tensor | None, overlap: float, batch: Tensor
) -> Tensor:
    """The rows of the YOLO layers: boxes (R, 4) as corners, scores and mask (R, C), labels (R, 1), None: the column + 1."""
    places, count = op("NonZero", mask), op.size(scores, 0)
    if op.never_empty:  # a last box, behind all others
        places = op("Concat", places, op.reshape(op.ints(count, 0), 2, 1), axis=1)
        boxes, scores = (op("Pad", x, op.ints(0, 0, 1, 0), op.const(-1)) for x in (boxes, scores))
        labels = None if labels is None else op("Pad", labels, op.ints(0, 0, 1, 0))
    pairs = op("Transpose", places, perm=(1, 0))
    score = op("GatherND", scores, pairs)
    at = op("Gather", pairs, op.const(0, "int64"), axis=1)
    if labels is None:
        label = op("Cast", op("Add", op("Gather", pairs, op.ints(1), axis=1), op.ints(1)), to=1)
    else:
        label = op("Gather", labels, at)
    box = op("Gather", boxes, at)
    survivors = emit_suppress(op, box, score, overlap, at_equal=True)
    rows = op("Gather", op("Concat", label, op("Unsqueeze", score, op.ints(1)), box, axis=1), survivors)
    real = op("Cast", op("Less", op("Gather", at, survivors), count), to=7) if op.never_empty else None
    return emit_rows_or_none(op, op("Pad", rows, op.ints(0, 1, 0, 0)), batch, real=real)


def emit_only_best(op: Op, scores: Tensor, most: int, threshold: float = LOWEST) -> Tensor:
    """Scores (N, C, P) with all but the `most` best of the last axis (of equal ones the first) set to LOWEST; those that do not exceed
    `threshold` may be, too: by measurement, TopK is fast where few numbers rise above the rest, and faster where it need not sort."""
    if threshold > LOWEST and not op.plain:
        scores = op("Where", op("Greater", scores, op.const(threshold)), scores, op.const(LOWEST), shape=scores.shape)
    count = op("Min", op.ints(most), op.size(scores, 2))
    best, at = op.many(2, "TopK", scores, count, axis=2, sorted=None if op.plain else 0)
    return op("ScatterElements", op("Expand", op.const(LOWEST), op("Shape", scores)), at, best, axis=2)
