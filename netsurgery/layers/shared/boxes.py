"""Arithmetic on boxes (x1, y1, x2, y2) in NumPy, for `forward` of the detection layers. What `emit` needs is in boxes_onnx.py: the
two share nothing, so that a mistake in one shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Array


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
    least: float = 0,
    at_equal: bool = False,
    eta: float = 1,
    most: int | None = None,
) -> list[int]:
    """Greedy non-maximum suppression: which of `boxes` (K, 4), best first, are kept.

    A box is dropped whose intersection over union with a kept one exceeds `threshold` (`at_equal`: or reaches it). Widths
    and heights are x2 - x1 + plus; an intersection that is not above 0, or is below `least`, counts as none. Where infinite
    sizes make the quotient NaN, the box is dropped (`at_equal`: kept). After each kept box a threshold above 0.5 shrinks by
    `eta`. At `most` kept boxes it ends.
    """
    x1, y1, x2, y2 = boxes.T
    if area is None:
        area = np.where((x2 < x1) | (y2 < y1), 0, (x2 - x1 + plus) * (y2 - y1 + plus))
    worst = np.full(len(boxes), -np.inf, boxes.dtype)
    limit = boxes.dtype.type(threshold)
    survivors: list[int] = []
    for i in range(len(boxes)):
        if worst[i] >= limit if at_equal else not worst[i] <= limit:
            continue
        survivors.append(i)
        if len(survivors) == most:
            break
        w = np.minimum(x2[i], x2[i + 1 :]) - np.maximum(x1[i], x1[i + 1 :]) + plus
        h = np.minimum(y2[i], y2[i + 1 :]) - np.maximum(y1[i], y1[i + 1 :]) + plus
        shared = np.where((w > 0) & (h > 0) & (w >= least) & (h >= least), w * h, 0)
        overlap = np.divide(shared, area[i] + area[i + 1 :] - shared, out=np.zeros_like(shared), where=shared > 0)
        worst[i + 1 :] = (np.fmax if at_equal else np.maximum)(worst[i + 1 :], overlap)
        if eta < 1 and limit > 0.5:
            limit *= boxes.dtype.type(eta)
    return survivors


def suppress_by_part(corners: Array, area: Array, threshold: float, *, lesser: bool) -> list[int]:
    """Which of `corners` (K, 4), best first, are kept: a box goes whose intersection with a kept one, over the area of that one
    (`lesser`: of the lesser of the two), exceeds `threshold`."""
    alive, chosen = np.ones(len(corners), bool), []
    for i in range(len(corners)):
        if alive[i]:
            chosen.append(i)
            sides = np.minimum(corners[i, 2:], corners[:, 2:]) - np.maximum(corners[i, :2], corners[:, :2])
            shared = np.where((sides > 0).all(axis=1), sides[:, 0] * sides[:, 1], 0)
            whole = np.minimum(area[i], area) if lesser else area[i]
            alive &= ~(shared / whole > corners.dtype.type(threshold))
    return chosen


def by_score(scores: Array) -> NDArray[np.intp]:
    """The order from the best score down, equal ones as they stand."""
    return np.argsort(-scores, kind="stable")


def rows_or_none(rows: list[Array], batch: int, dtype: np.dtype[np.floating], width: int = 7) -> Array:
    """(1, 1, K, width) of all rows; where there are none, (i, -1, -1, ..) for each image i."""
    table = np.concatenate([np.zeros((0, width), dtype), *rows])
    if not len(table):
        table = np.full((batch, width), -1, dtype)
        table[:, 0] = np.arange(batch)
    return table[None, None]


def yolo_rows(
    boxes: Array, scores: Array, mask: NDArray[np.bool_], labels: NDArray[Any], overlap: float, batch: int
) -> Array:
    """What the YOLO layers find, all images and classes as one: rows (0, label, score, x1, y1, x2, y2) by falling score.

    Shapes: boxes (R, 4) as centre and size, scores and mask (R, C), labels broadcast to them -> (1, 1, K, 7).
    """
    at = np.flatnonzero(mask)
    at = at[by_score(scores.ravel()[at])]
    box = boxes[at // scores.shape[1]]
    corners = np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], axis=1)
    survivors = suppress(corners, overlap, area=box[:, 2] * box[:, 3], at_equal=True)
    named = np.stack([np.zeros(scores.shape), np.broadcast_to(labels, scores.shape), scores], axis=2).reshape(-1, 3)
    rows = np.concatenate([named[at[survivors]].astype(boxes.dtype), corners[survivors]], axis=1)
    return rows_or_none([rows], batch, boxes.dtype)
