"""Arithmetic on boxes (x1, y1, x2, y2) as operators of Caffe2, for the detection layers."""

from __future__ import annotations

import numpy as np

from ..core import Op, Tensor
from .operators import LOWEST, cast, expand, full, part

INT32 = 2


def halves(op: Op, x: Tensor, axis: int, half: int = 2) -> tuple[Tensor, ...]:
    """x split in two along an axis of size 2 * half."""
    return op.many(2, "Split", x, axis=axis, split=(half, half))


def corners(op: Op, centre: Tensor, half: Tensor, axis: int) -> Tensor:
    """(.., 2) centres and half sides -> (.., 4) corners."""
    return op("Concat", op("Sub", centre, half), op("Add", centre, half), axis=axis)


def decode(op: Op, prior: Tensor, variance: Tensor | None, loc: Tensor, code: str, last: int) -> Tensor:
    """SSD's boxes from predictions, as DecodeBBox has them; `last` is the axis of the four numbers, in all of them."""
    t = loc if variance is None else op("Mul", variance, loc)
    if code == "CORNER":
        return op("Add", prior, t)
    low, high = halves(op, prior, last)
    size = op("Sub", high, low)
    if code == "CORNER_SIZE":
        return op("Add", prior, op("Mul", t, op("Concat", size, size, axis=last)))
    shift, growth = halves(op, t, last)
    middle = op("Mul", op("Add", low, high), op.const(0.5))
    half = op("Mul", op("Exp", growth), op("Mul", size, op.const(0.5)))
    return corners(op, op("Add", op("Mul", shift, size), middle), half, last)


def grid(op: Op, w: Tensor, h: Tensor, repeat: int = 1) -> Tensor:
    """(h, w, 1, 2 * repeat): for each cell its column and row, `repeat` times."""
    columns = op.reshape(cast(op, op("Range", w), "float"), 1, -1, 1, 1)
    rows = op.reshape(cast(op, op("Range", h), "float"), -1, 1, 1, 1)
    return op("Add", op("Mul", columns, op.const([1, 0] * repeat)), op("Mul", rows, op.const([0, 1] * repeat)))


def rows_or_none(op: Op, rows: Tensor, batch: Tensor) -> Tensor:
    """Rows (K, 7) as (1, 1, K, 7); where K is 0, (i, -1, -1, -1, -1, -1, -1) for each image i."""
    none = cast(op, op("EQ", op("Shape", rows, axes=(0,)), op.ints(0)), "int64")
    images = op("Range", op("Mul", none, batch))
    first = op("Mul", op.reshape(cast(op, images, "float"), -1, 1), op.const([1.0, *[0.0] * 6]))
    blank = op("Add", first, op.const([0.0, *[-1.0] * 6]))
    return op.reshape(op("Concat", rows, blank, axis=0), 1, 1, -1, 7)


def best_first(
    op: Op, scores: Tensor, rank: int, size: int, most: int, *, later_first: bool = False
) -> tuple[Tensor, Tensor]:
    """The `most` greatest of each row of scores (.., size), in falling order, and where they stand. Of equal ones the first comes first,
    or the last."""
    if not later_first:
        values, at = op.many(2, "TopK", scores, k=most, axis=rank - 1)
        return values, at
    behind = op("Gather", scores, op.const(np.arange(size)[::-1], "int64"), axis=rank - 1)
    values, at = op.many(2, "TopK", behind, k=most, axis=rank - 1)
    return values, op("Sub", op.const(size - 1, "int64"), at)


def ranks(op: Op, values: Tensor, most: int, above: float) -> Tensor:
    """Keys for `suppress` of values in falling order (.., most): most, most - 1, .., 1, and 0 where the value is not above `above`."""
    return op("Mul", cast(op, op("GT", values, op.const(above)), "float"), op.const(np.arange(most, 0, -1)))


def suppress(
    op: Op,
    boxes: Tensor,
    keys: Tensor,
    overlap: float,
    *,
    per_class: bool = False,
    splits: Tensor | None = None,
    most: int = -1,
) -> tuple[Tensor, Tensor, Tensor]:
    """Greedy suppression within each image and class, by falling key: boxes go whose intersection over union with a better one exceeds
    `overlap`. Keys above 0 are in the running; among equal ones no order is certain. The operator, BoxWithNMSLimit, takes its first
    class for the background and passes it over: here it is a copy of the first one that counts.

    Shapes: boxes (R, 4), the same for all classes, or (R, C * 4) `per_class`; keys (R, C); splits: how many of the R belong to each image
        -> for each box that is left, by image, class, falling key: the class from 0 on, the place among the rows of its image, the image.
    """
    if per_class:
        boxes = op("Concat", part(op, boxes, 2, 1, 0, 4), boxes, axis=1)
    _, _, label, counts, place, _ = op.many(
        6,
        "BoxWithNMSLimit",
        op("Concat", part(op, keys, 2, 1, 0, 1), keys, axis=1),
        boxes,
        *([] if splits is None else [splits]),
        score_thresh=0.0,
        nms=float(overlap),
        detections_per_im=most,
        cls_agnostic_bbox_reg=int(not per_class),
        legacy_plus_one=0,
    )
    image = op("LengthsToSegmentIds", op("Cast", counts, to=INT32))
    return op("Sub", cast(op, label, "int64"), op.ints(1)), cast(op, place, "int64"), cast(op, image, "int64")


def apart(op: Op, boxes: Tensor, lead: tuple[Tensor, int, int]) -> Tensor:
    """Boxes (N, k, most, 4) for `suppress`, those with x2 <= x1 or y2 <= y1, which to Caffe overlap nothing, far away from all others:
    the operator would divide 0 by 0. `lead` are N, k, most."""
    low, high = halves(op, boxes, 3)
    sides = cast(op, op("GT", high, low), "float")
    right = op("Mul", *halves(op, sides, 3, half=1))
    place = -1e9 * np.arange(1, lead[2] + 1)[:, None] + np.array([0, 0, 1e8, 1e8])
    return op(
        "Where", cast(op, op("Concat", *[right] * 4, axis=3), "bool"), boxes, expand(op, op.const(place), *lead, 4)
    )


def best_of_images(op: Op, detections: Tensor, scores: Tensor, size: int, most: int, batch: Tensor) -> Tensor:
    """Of what was found in the images, which have `size` places each, the `most` best of each image, in the order of their places.
    `detections` are places, counted through all images."""
    none = full(op, LOWEST, op("Mul", batch, op.ints(size)))
    dense = op.reshape(op("Scatter", none, detections, scores, axis=0), -1, size)
    best, at = op.many(2, "TopK", dense, k=most, axis=1)
    _, order = op.many(2, "TopK", op("Negative", cast(op, at, "float")), k=most, axis=1)  # by place
    image = op.reshape(op("Range", batch), -1, 1)
    order = op.reshape(op("Add", order, op("Mul", image, op.ints(most))), -1)
    places = op.reshape(op("Add", at, op("Mul", image, op.ints(size))), -1)
    counts = op("GT", op.reshape(best, -1), op.const(LOWEST))
    mask = cast(op, op("Gather", cast(op, counts, "int64"), order), "bool")
    return op("BooleanMask", op("Gather", places, order), mask)


def column(op: Op, x: Tensor) -> Tensor:
    """A vector as floats, one below the other."""
    return op.reshape(cast(op, x, "float"), -1, 1)


def yolo_rows(
    op: Op,
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor | None,
    classes: int,
    above: float,
    overlap: float,
    batch: Tensor,
) -> Tensor:
    """The rows of the YOLO layers: boxes (R, 4) as corners, scores (R, classes), labels (R, 1), None: the column + 1. Scores above
    `above` are finds; a find goes whose intersection over union with a better one reaches `overlap`."""
    if labels is None:
        labels = expand(op, op.const(np.arange(1, classes + 1)), op("Shape", scores))
        repeated = expand(op, op("ExpandDims", boxes, dims=(1,)), op("Shape", scores), 4)
        boxes = op.reshape(repeated, -1, 4)
    mask = op("GT", op.reshape(scores, -1), op.const(above))
    label, score, box = (
        op("BooleanMask", op.reshape(t, -1, n), mask) for t, n in ((labels, 1), (scores, 1), (boxes, 4))
    )
    limit = float(np.nextafter(np.float32(overlap), np.float32(-1)))  # float32 has nothing between the two
    _, place, _ = suppress(op, box, score, limit)
    rows = [op("Gather", t, place, axis=0) for t in (label, score, box)]
    return rows_or_none(op, op("Concat", op("Mul", rows[0], op.const(0.0)), *rows, axis=1), batch)
