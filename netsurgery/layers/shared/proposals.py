"""What the region proposal layers have in common: anchors, boxes decoded from them, suppression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..caffe2.boxes import corners, grid, halves
from ..caffe2.operators import cast, expand, part
from ..core import Array, Arrays, LayerType, Op, Shape, Shapes, Size, Tensor, Tensors, by_data, product
from ..core.aliases import Rng, Sample, Sizes
from .boxes import suppress
from .boxes_onnx import emit_halves
from .emission import emit_line

PLUS_ONE = np.array([0, 0, 1, 1], np.float32)
"""What turns boxes whose sides are counted as x2 - x1 + 1 into ones whose sides are x2 - x1."""


def anchors(
    base: int, ratios: Sequence[float], scales: Sequence[float], whole: Callable[[float], float] = np.round
) -> Array:
    """py-faster-rcnn's anchors (A, 4): for each ratio r a box of whole sides near sqrt(base^2 / r), times each scale."""
    sides = [(w, whole(w * r)) for r in ratios for w in [whole(float(np.sqrt(base * base / r)))]]
    half = np.array([((w * s - 1) / 2, (h * s - 1) / 2) for w, h in sides for s in scales])
    middle = (base - 1) / 2
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def half_up(x: float) -> float:
    """C's round, for what is not negative."""
    return float(np.floor(x + 0.5))


class Proposals(LayerType):
    """For each cell and anchor, moved to the cell: w = x2 - x1 + 1, c = x1 + w / 2 (y alike); the box
    c + dx * w -+ exp(dw) * w / 2, cut to 0 .. image width - 1. Then, from the best score down, boxes go whose intersection
    over union, with sides of x2 - x1 + 1, with a kept one exceeds the threshold. Rows (image, x1, y1, x2, y2).

    Shapes: scores (N, 2 * A, H, W), background first, deltas (N, 4 * A, H, W), im_info -> (R, 5), the R scores.
    """

    bottoms = (3, 3)
    tops = (1, 2)
    choices = (0, 1)
    columns = -1
    info_at: ClassVar[int] = 2
    """Which bottom is im_info, -1 for none."""
    scale_at: tuple[int, ...] = (2,)
    """Where im_info (height, width, ..) has the scale of the shortest side: one for both, or those of w and h."""
    cuts_info: ClassVar[bool] = False
    """Whether height and width lose their fractions."""
    by_anchor: ClassVar[bool] = False
    """Whether boxes are counted by anchor, then cell; else by cell, then anchor."""
    single: ClassVar[bool] = True
    """Whether only the first image counts."""
    drawn_in: ClassVar[float] = 0
    """By how much the right and lower sides of a box are drawn in before it is cut."""
    growth: ClassVar[float] = float("inf")
    """What dw and dh are cut to, on both sides of 0."""
    least: ClassVar[float] = 0
    """The least side of an intersection that counts, pixels of the edge included."""

    anchors: Array
    stride: float
    smallest: float
    overlap: float
    most: int

    def bottom_shape(self, index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
        return (1, max(self.scale_at) + 1) if index == self.info_at else None

    def score_shape(self, count: Size) -> Shape:
        return (count, 1)

    def shapes(self, bottoms: Shapes) -> Shapes:
        scores, deltas, info = bottoms
        for bottom, name, channels in ((scores, "scores", 2), (deltas, "deltas", 4)):
            self.rank(bottom, 4, name)
            self.require(bottom[1], channels * len(self.anchors), f"channels of {name}")
        for i, what in ((0, "batch"), (2, "height"), (3, "width")):
            self.require(deltas[i], scores[i], f"{what} of deltas")
        self.require_least(product(info), max(self.scale_at) + 1, "numbers in im_info")
        regions = by_data(self.name, "regions")
        return [(regions, 5), self.score_shape(regions)][: self.top_count]

    def ranked(self, score: Array, large: NDArray[np.bool_]) -> tuple[Array, NDArray[np.intp]]:
        """The scores of one image's boxes, and the order in which to go through them. `large`: no side is too short."""
        raise NotImplementedError

    def decoded(
        self, scores: Array, deltas: Array, numbers: Array, anchors: Array, stride: float
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """The boxes (N, H, W, A, 4) of a map, their scores (N, H, W, A), and whether no side is too short; `numbers` are those
        of im_info."""
        n, _, h, w = deltas.shape
        d = deltas.reshape(n, -1, 4, h, w).transpose(0, 3, 4, 1, 2)
        side = anchors[:, 2:] - anchors[:, :2] + 1
        cell = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2)[:, :, None].astype(deltas.dtype)
        centre = d[..., :2] * side + (cell * stride + anchors[:, :2] + side / 2)
        half = np.exp(d[..., 2:].clip(-self.growth, self.growth)) * side / 2
        size = np.trunc(numbers[[1, 0]]) if self.cuts_info else numbers[[1, 0]]
        boxes = np.concatenate([centre - half, centre + half - self.drawn_in], axis=-1)
        boxes = np.maximum(np.minimum(boxes, np.tile(size - 1, 2)), 0)
        smallest = numbers.dtype.type(self.smallest) * numbers[list(self.scale_at)]
        large = (boxes[..., 2:] - boxes[..., :2] + 1 >= smallest).all(axis=-1)
        return boxes, scores[:, len(anchors) :].transpose(0, 2, 3, 1), large

    def candidates(self, bottoms: Arrays) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Of each image, all boxes (N, M, 4), their scores (N, M) and whether no side is too short (N, M)."""
        scores, deltas, info = bottoms
        boxes, score, large = self.decoded(scores, deltas, info.ravel(), self.anchors, self.stride)
        if self.by_anchor:
            boxes, score, large = np.moveaxis(boxes, 3, 1), np.moveaxis(score, 3, 1), np.moveaxis(large, 3, 1)
        n = len(scores)
        return boxes.reshape(n, -1, 4), score.reshape(n, -1), large.reshape(n, -1)

    def survivors(self, boxes: Array) -> Sequence[int]:
        """Which of boxes (K, 4), best first, are the regions."""
        return suppress(boxes, self.overlap, plus=1, least=self.least, most=self.most)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        boxes, score, large = self.candidates(bottoms)
        rows, best = [], []
        for image in range(1 if self.single else len(boxes)):
            s, order = self.ranked(score[image], large[image])
            box = boxes[image][order]
            survivors = self.survivors(box)
            rows.append(np.concatenate([np.full((len(survivors), 1), image, box.dtype), box[survivors]], axis=1))
            best.append(s[order][survivors])
        score = np.concatenate(best)
        return [np.concatenate(rows), score.reshape(len(score), *[1] * (len(self.score_shape(1)) - 1))][
            : self.top_count
        ]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 0:
            return rng.uniform(0, 1, shapes[0])
        if index == 1:
            return rng.normal(0, 0.3, shapes[1])
        info = np.ones(prod(shapes[2]))
        info[:2] = shapes[0][2] * self.stride, shapes[0][3] * self.stride
        return info.reshape(shapes[2])

    def emit_decoded(
        self, op: Op, scores: Tensor, deltas: Tensor, numbers: Tensor, anchors: Array, stride: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `decoded`, the scores as they stand: (N, A, H, W)."""
        a, w, h = len(anchors), op.size(deltas, 3), op.size(deltas, 2)
        begin, end, axes = ([0, a], [1, 2 * a], [0, 1]) if self.single and scores.shape[0] != 1 else ([a], [2 * a], [1])
        score = op("Slice", scores, op.ints(begin), op.ints(end), op.ints(axes))
        if len(axes) > 1:
            deltas = op("Slice", deltas, op.ints(0), op.ints(1), op.ints(0))
        # by measurement as planes (N, A, 4, H, W): arithmetic with rows of two or four numbers takes ten times as long
        shift, growth = emit_halves(op, op.reshape(deltas, 0, a, 4, h, w), axis=2)
        if self.growth < np.inf:
            growth = op("Clip", growth, op.const(-self.growth), op.const(self.growth))
        side = (anchors[:, 2:] - anchors[:, :2] + 1)[:, :, None, None]
        columns, rows = emit_line(op, w), op.reshape(emit_line(op, h), -1, 1)
        column, row = np.array([stride, 0, 0, stride], np.float32).reshape(2, 2, 1, 1)
        cell = op("Add", op("Mul", columns, column), op("Mul", rows, row))  # (2, H, W)
        centre = op("Add", op("Mul", shift, side), op("Add", cell, anchors[:, :2, None, None] + side / 2))
        half = op("Mul", op("Exp", growth), side / 2)
        corners = op("Concat", op("Sub", centre, half), op("Add", centre, half), axis=2)
        if self.drawn_in:
            corners = op("Sub", corners, op.const(np.array([0, 0, self.drawn_in, self.drawn_in]).reshape(4, 1, 1)))
        size = op("Gather", numbers, op.ints(1, 0, 1, 0))
        edge = op("Sub", op("Floor", size) if self.cuts_info else size, op.const(1))
        boxes = op("Max", op("Min", corners, op.reshape(edge, 4, 1, 1)), op.const(0))
        low, high = emit_halves(op, boxes, axis=2)
        smallest = op("Mul", op("Gather", numbers, op.ints(self.scale_at)), op.const(self.smallest))
        fits = op("GreaterOrEqual", op("Add", op("Sub", high, low), op.const(1)), op.reshape(smallest, -1, 1, 1))
        large = op("And", *emit_halves(op, fits, axis=2, half=1))
        boxes, large = (op("Transpose", x, perm=(0, 3, 4, 1, 2)) for x in (boxes, large))
        return boxes, score, large

    def emit_candidates(self, op: Op, bottoms: Tensors) -> tuple[Tensor, Tensor, Tensor]:
        """As `candidates`, without N if `single`."""
        scores, deltas, info = bottoms
        numbers = op.reshape(info, -1)
        boxes, score, large = self.emit_decoded(op, scores, deltas, numbers, self.anchors, self.stride)
        if self.by_anchor:
            boxes, large = (op("Transpose", x, perm=(0, 3, 1, 2, 4)) for x in (boxes, large))
        else:
            score = op("Transpose", score, perm=(0, 2, 3, 1))
        lead = [] if self.single else [0]
        return op.reshape(boxes, *lead, -1, 4), op.reshape(score, *lead, -1), op.reshape(large, *lead, -1)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        count = product(bottoms[0].shape[2:]) * len(self.anchors)
        return self.emit_tops(op, *self.emit_candidates(op, bottoms), count)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        scores, deltas, info = bottoms
        a, (h, w) = len(self.anchors), (op.number(n) for n in deltas.shape[2:])
        score = part(op, scores, 4, 1, a, 2 * a)
        if self.single and scores.shape[0] != 1:
            score, deltas = (part(op, x, 4, 0, 0, 1) for x in (score, deltas))
        d = op("Transpose", op.reshape(deltas, 0, a, 4, h, w), axes=(0, 3, 4, 1, 2))  # (N, h, w, a, 4)
        shift, growth = halves(op, d, 4)
        if self.growth < np.inf:
            growth = op("Clip", growth, min=-self.growth, max=self.growth)
        side = self.anchors[:, 2:] - self.anchors[:, :2] + 1
        cell = op("Mul", grid(op, op.ints(w), op.ints(h)), op.const(self.stride))
        middle = op("Add", cell, op.const(self.anchors[:, :2] + side / 2))
        centre = op("Add", op("Mul", shift, op.const(side)), middle)
        boxes = corners(op, centre, op("Mul", op("Exp", growth), op.const(side / 2)), 4)
        if self.drawn_in:
            boxes = op("Sub", boxes, op.const([0, 0, self.drawn_in, self.drawn_in]))
        numbers = op.reshape(info, -1)
        size = op("Gather", numbers, op.ints(1, 0, 1, 0))
        edge = op("Sub", op("Floor", size) if self.cuts_info else size, op.const(1.0))
        boxes = op("Relu", op("Min", boxes, expand(op, edge, op("Shape", boxes))))
        low, high = halves(op, boxes, 4)
        least = [i if i >= 0 else op.number(product(info.shape)) + i for i in self.scale_at]
        smallest = op("Mul", op("Gather", numbers, op.ints(*least)), op.const(self.smallest))
        fits = cast(op, op("GE", op("Add", op("Sub", high, low), op.const(1.0)), smallest), "float")
        large = op("Mul", *halves(op, fits, 4, half=1))
        if self.by_anchor:
            boxes, large = (op("Transpose", x, axes=(0, 3, 1, 2, 4)) for x in (boxes, large))
        else:
            score = op("Transpose", score, axes=(0, 2, 3, 1))
        shapes = ((4,), (), ()) if self.single else ((h * w * a, 4), (h * w * a,), (h * w * a,))
        boxes, score, large = (op.reshape(x, -1, *s) for x, s in zip((boxes, score, large), shapes, strict=True))
        return self.emit_tops_caffe2(op, boxes, score, large, h * w * a)

    def emit_tops_caffe2(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: int) -> Tensors:
        """The tops, from boxes (N, M, 4), score (N, M), large (N, M) as 0.0 and 1.0, without N if `single`; `count` is M."""
        raise NotImplementedError

    def emit_tops(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: Size) -> Tensors:
        """The tops, from boxes (N, M, 4), score (N, M), large (N, M), without N if `single`; `count` is M."""
        raise NotImplementedError
