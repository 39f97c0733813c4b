"""AUMaskBasedLand: where in a face its action units are, from its landmarks."""

from collections.abc import Sequence

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensor, Tensors

CENTRES = (
    # for each of 12 units two landmarks, and how many of the eyes' distances the centre lies below them
    (4, 5, -1 / 2),
    (1, 8, -1 / 3),
    (2, 7, 1 / 3),
    (24, 29, 1.0),
    (21, 26, 0.0),
    (43, 45, 0.0),
    (31, 37, 0.0),
    (31, 37, 0.0),
    (31, 37, 0.0),
    (39, 41, 1 / 2),
    (34, 40, 0.0),
    (34, 40, 0.0),
)
EYES = (22, 25)
UNITS = len(CENTRES)


class AUMaskBasedLand(LayerType):
    """For each unit two squares of side 2 d, d = (img_size - 1) / 2 spatial_ratio, around landmarks (moved by a share of |x22 - x25|):
    inside y = max(1 - (|row - cy| + |column - cx|) fill_coeff 100 / (img_size spatial_scale), fill_value), in pixels of the mask; of two
    squares the second one counts; fill_value outside. The last top is the greatest of all squares at each place.

    Shapes: landmarks (N, 98), x and y of 49 points -> 13 times (N, 1, S, S), S = round(img_size spatial_scale).
    Source: au_mask_based_land_layer.cpp of JAANet
    """

    types = ("AUMaskBasedLand",)
    tops = (UNITS + 1, UNITS + 1)
    choices = tuple(range(UNITS + 1))
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("au_mask_based_land_param")
        size, ratio, self.scale = q.get_int("img_size", 0), q.get_float("spatial_ratio"), q.get_float("spatial_scale")
        if size < 1 or self.scale <= 0:
            raise q.refuse("img_size", f"img_size {size}, spatial_scale {self.scale:g}", expected="positive numbers")
        if q.get_str("fill_type") != "manhattan":
            raise q.refuse("fill_type", f"fill_type is {q.get_str('fill_type')}", expected="manhattan")
        self.half = (size - 1) / 2 * ratio
        self.side = int(np.floor(size * self.scale + 0.5))
        self.fall, self.fill = q.get_float("fill_coeff") * 100 / (size * self.scale), q.get_float("fill_value")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 2)
        self.require(x[1], 98, "numbers of the landmarks")
        return [(x[0], 1, self.side, self.side)] * (UNITS + 1)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        tops = [np.full((len(x), 1, self.side, self.side), self.fill, x.dtype) for _ in range(UNITS + 1)]
        line = np.arange(self.side)
        for i, marks in enumerate(x):
            ruler = abs(marks[2 * EYES[0]] - marks[2 * EYES[1]])
            for unit, (*pair, below) in enumerate(CENTRES):
                for mark in pair:
                    cx, cy = marks[2 * mark], marks[2 * mark + 1] + ruler * x.dtype.type(below)
                    rows, columns = self._span(cy), self._span(cx)
                    far = np.abs(line[rows] - cy * self.scale)[:, None] + np.abs(line[columns] - cx * self.scale)
                    square = np.maximum(1 - far * self.fall, self.fill)
                    tops[unit][i, 0, rows, columns] = square
                    whole = tops[UNITS][i, 0, rows, columns]
                    np.maximum(whole, square, out=whole)
        return tops

    def _span(self, centre: float) -> slice:
        ends = [(centre + side * self.half) * self.scale for side in (-1, 1)]
        first, last = (int(np.clip(np.sign(e) * np.floor(abs(e) + 0.5), 0, self.side - 1)) for e in ends)
        return slice(first, last + 1)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        marks = [mark for *pair, _ in CENTRES for mark in pair]
        below = [share for *_, share in CENTRES for _ in range(2)]

        def column(indices: Sequence[int]) -> Tensor:
            return op("Gather", x, op.const(list(indices), "int64"), axis=1)

        ruler = op("Abs", op("Sub", column([2 * EYES[0]]), column([2 * EYES[1]])))
        places = [column([2 * m for m in marks])]
        places.append(op("Add", column([2 * m + 1 for m in marks]), op("Mul", ruler, op.const(below))))
        inside, far = [], []
        for centre, axis in zip(places, (3, 2), strict=True):  # columns, rows
            line = op.const(np.arange(self.side).reshape((-1,) if axis == 3 else (-1, 1)))
            first, last = (self._end(op, centre, side) for side in (-self.half, self.half))
            inside += [op("GreaterOrEqual", line, first), op("LessOrEqual", line, last)]
            middle = op("Unsqueeze", op("Mul", centre, op.const(self.scale)), op.ints(2, 3))
            far.append(op("Abs", op("Sub", line, middle)))
        hits = op("And", op("And", *inside[:2]), op("And", *inside[2:]))  # (N, 24, S, S)
        fill = op.const(self.fill)
        value = op("Max", op("Sub", op.const(1.0), op("Mul", op("Add", *far), op.const(self.fall))), fill)
        parts, masks = (op.many(2 * UNITS, "Split", t, op.ints([1] * 2 * UNITS), axis=1) for t in (value, hits))
        squares = [op("Where", h, v, fill) for h, v in zip(masks, parts, strict=True)]
        units = [op("Where", masks[k + 1], parts[k + 1], squares[k]) for k in range(0, 2 * UNITS, 2)]
        return [*units, op("Max", *squares)]

    def _end(self, op: Op, centre: Tensor, side: float) -> Tensor:
        """round((centre + side) scale), halves away from zero, inside the mask: what is below zero becomes 0 in any case."""
        at = op("Mul", op("Add", centre, op.const(side)), op.const(self.scale))
        at = op("Max", op("Floor", op("Add", at, op.const(0.5))), op.const(0.0))
        return op("Unsqueeze", op("Min", at, op.const(self.side - 1.0)), op.ints(2, 3))
