"""Arithmetic on boxes (x1, y1, x2, y2) for the detection layers: in NumPy for `forward`, as ONNX nodes for `emit`.

The two halves share nothing, so that a mistake in one shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._type import Array, Graph, Tensor

# --- NumPy


def decode(prior: Array, variance: Array | None, loc: Array, code: str) -> Array:
    """SSD's boxes from predictions `loc` relative to `prior`, by code_type. `variance` None: it is in the predictions already.

    Shapes: all (.., 4), broadcast.
    Source: bbox_util.cpp (SSD), DecodeBBox
    """
    t = loc if variance is None else variance * loc
    low, high = prior[..., :2], prior[..., 2:]
    size = high - low
    if code == "CENTER_SIZE":
        centre = t[..., :2] * size + (low + high) / 2
        half = np.exp(t[..., 2:]) * size / 2
        return np.concatenate([centre - half, centre + half], axis=-1)
    corners: Array = prior + (t if code == "CORNER" else t * np.concatenate([size, size], axis=-1))
    return corners


def suppress(
    boxes: Array,
    threshold: float,
    *,
    area: Array | None = None,
    plus: int = 0,
    at_equal: bool = False,
    eta: float = 1,
    most: int | None = None,
) -> list[int]:
    """Greedy non-maximum suppression: which of `boxes` (K, 4), best first, are kept.

    A box is dropped whose intersection over union with a kept one exceeds `threshold` (`at_equal`: or reaches it). Widths
    and heights are x2 - x1 + plus; a box with x2 < x1 overlaps nothing. After each kept box a threshold above 0.5 shrinks
    by `eta`. At `most` kept boxes it ends.
    """
    x1, y1, x2, y2 = boxes.T
    if area is None:
        area = np.where((x2 < x1) | (y2 < y1), 0, (x2 - x1 + plus) * (y2 - y1 + plus))
    worst = np.full(len(boxes), -np.inf, boxes.dtype)
    limit = boxes.dtype.type(threshold)
    kept: list[int] = []
    for i in range(len(boxes)):
        if not (worst[i] < limit or (worst[i] == limit and not at_equal)):
            continue
        kept.append(i)
        if len(kept) == most:
            break
        w = np.minimum(x2[i], x2[i + 1 :]) - np.maximum(x1[i], x1[i + 1 :]) + plus
        h = np.minimum(y2[i], y2[i + 1 :]) - np.maximum(y1[i], y1[i + 1 :]) + plus
        shared = np.where((w > 0) & (h > 0), w * h, 0)
        overlap = np.divide(shared, area[i] + area[i + 1 :] - shared, out=np.zeros_like(shared), where=shared > 0)
        worst[i + 1 :] = np.maximum(worst[i + 1 :], overlap)
        if eta < 1 and limit > 0.5:
            limit *= boxes.dtype.type(eta)
    return kept


def by_score(scores: Array) -> NDArray[np.intp]:
    """The order from the best score down, equal ones as they stand."""
    return np.argsort(-scores, kind="stable")


def rows_or_none(rows: list[Array], batch: int, dtype: np.dtype[np.floating]) -> Array:
    """(1, 1, K, 7) of all rows; where there are none, (i, -1, -1, -1, -1, -1, -1) for each image i."""
    found = np.concatenate([np.zeros((0, 7), dtype), *rows])
    if not len(found):
        found = np.full((batch, 7), -1, dtype)
        found[:, 0] = np.arange(batch)
    return found[None, None]


def yolo_rows(
    boxes: Array, scores: Array, found: NDArray[np.bool_], labels: NDArray[Any], overlap: float, batch: int
) -> Array:
    """What the YOLO layers find, all images and classes as one: rows (0, label, score, x1, y1, x2, y2) by falling score.

    Shapes: boxes (R, 4) as centre and size, scores and found (R, C), labels broadcast to them -> (1, 1, K, 7).
    """
    at = np.flatnonzero(found)
    at = at[by_score(scores.ravel()[at])]
    box = boxes[at // scores.shape[1]]
    corners = np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], axis=1)
    kept = suppress(corners, overlap, area=box[:, 2] * box[:, 3], at_equal=True)
    named = np.stack([np.zeros(scores.shape), np.broadcast_to(labels, scores.shape), scores], axis=2).reshape(-1, 3)
    rows = np.concatenate([named[at[kept]].astype(boxes.dtype), corners[kept]], axis=1)
    return rows_or_none([rows], batch, boxes.dtype)


# --- ONNX


def emit_halves(op: Graph, x: Tensor, axis: int = -1, half: int = 2) -> tuple[Tensor, ...]:
    """x split in two along an axis of size 2 * half."""
    return op.many(2, "Split", x, op.ints(half, half), axis=axis)


def emit_corners(op: Graph, centre: Tensor, half: Tensor) -> Tensor:
    """(.., 2) centres and half sides -> (.., 4) corners."""
    return op("Concat", op("Sub", centre, half), op("Add", centre, half), axis=-1)


def emit_decode(op: Graph, prior: Tensor, variance: Tensor | None, loc: Tensor, code: str) -> Tensor:
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


def emit_rows_or_none(op: Graph, rows: Tensor, batch: Tensor) -> Tensor:
    """Rows (K, 7) as (1, 1, K, 7); where K is 0, (i, -1, -1, -1, -1, -1, -1) for each image i."""
    none = op("Cast", op("Equal", op.size(rows, 0), op.ints(0)), to=7)
    images = op("Range", op.const(0, "int64"), op("Squeeze", op("Mul", none, batch)), op.const(1, "int64"))
    blank = op("Pad", op.reshape(op("Cast", images, to=1), -1, 1), op.ints(0, 0, 0, 6), op.const(-1))
    return op.reshape(op("Concat", rows, blank, axis=0), 1, 1, -1, 7)


def emit_grid(op: Graph, w: Tensor, h: Tensor, repeat: int = 1) -> Tensor:
    """(h, w, 1, 2 * repeat): for each cell its column and row, `repeat` times."""

    def count(n: Tensor, axes: int, mask: list[int]) -> Tensor:
        numbers = op("Range", op.const(0, "int64"), op("Squeeze", n), op.const(1, "int64"))
        return op("Mul", op("Cast", op.reshape(numbers, -1, *[1] * axes), to=1), op.const(mask * repeat))

    return op("Add", count(h, 3, [0, 1]), count(w, 2, [1, 0]))


def emit_suppress_all(
    op: Graph, boxes: Tensor, scores: Tensor, overlap: float, at_equal: bool, most: int | None
) -> Tensor:
    """Which of boxes (R, 4) with scores (R) are kept, best first: int64 (K). `at_equal`: boxes that reach `overlap` go too."""
    if at_equal and overlap <= 0:
        most = 1
    elif at_equal:  # float32 has nothing between this number and the threshold
        overlap = float(np.nextafter(np.float32(overlap), np.float32(0)))
    limit = op("Squeeze", op.size(scores, 0)) if most is None else op.const(most, "int64")
    boxes, scores = op("Unsqueeze", boxes, op.ints(0)), op("Unsqueeze", scores, op.ints(0, 1))
    found = op("NonMaxSuppression", boxes, scores, limit, op.const(min(overlap, 1.0)))
    return op("Gather", found, op.const(2, "int64"), axis=1)


def emit_yolo_rows(
    op: Graph, boxes: Tensor, scores: Tensor, found: Tensor, labels: Tensor | None, overlap: float, batch: Tensor
) -> Tensor:
    """The rows of the YOLO layers: boxes (R, 4) as corners, scores and found (R, C), labels (R, 1), None: the column + 1."""
    pairs = op("Transpose", op("NonZero", found), perm=(1, 0))
    score = op("GatherND", scores, pairs)
    at = op("Gather", pairs, op.const(0, "int64"), axis=1)
    if labels is None:
        label = op("Cast", op("Add", op("Gather", pairs, op.ints(1), axis=1), op.ints(1)), to=1)
    else:
        label = op("Gather", labels, at)
    box = op("Gather", boxes, at)
    kept = emit_suppress_all(op, box, score, overlap, True, None)
    rows = op("Gather", op("Concat", label, op("Unsqueeze", score, op.ints(1)), box, axis=1), kept)
    return emit_rows_or_none(op, op("Pad", rows, op.ints(0, 1, 0, 0)), batch)
