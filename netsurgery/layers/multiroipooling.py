"""MultiROIPooling: pieces of a map around the landmarks of each item."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.regions import round_half_away


class MultiROIPooling(LayerType):
    """Top k is, for each item, the piece of pooled_h x pooled_w whose first column is round(x_k spatial_scale - pooled_w // 2) and
    whose first row likewise, 0 where it is outside the map; x_k, y_k are landmark k of the item.

    Shapes: x (N, C, H, W), landmarks (N, top_num, 2) -> top_num of (N, C, pooled_h, pooled_w).
    Source: mysee1989/PG-CNN, multi_roi_pooling_layer.cu
    """

    types = ("MultiROIPooling",)
    bottoms = (2, 2)
    tops = (1, None)
    note = "by formula (PG-CNN)"

    def read(self, p: Params) -> None:
        q = p.message("multi_roi_pooling_param")
        self.pooled = q.get_int("pooled_h"), q.get_int("pooled_w")
        self.scale, self.count = q.get_float("spatial_scale"), q.get_int("top_num")
        self.choices = tuple(range(self.count))
        if min(self.pooled) < 1:
            raise q.refuse("pooled_h", f"pooled_h and pooled_w are {self.pooled}", expected="positive numbers")
        if self.count != self.top_count:
            raise q.refuse("top_num", f"top_num is {self.count}", expected=f"{self.top_count}: the tops")

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, marks = bottoms
        self.rank(x, 4, "bottom 0")
        if len(marks) < 2:
            self.rank(marks, 3, "the landmarks")
        self.require(marks[0], x[0], "items of the landmarks")
        self.require(marks[1], self.count, "landmarks")
        self.require(product(marks[2:]), 2, "numbers per landmark")
        return [(*x[:2], *self.pooled)] * self.count

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 0:
            return None
        height, width = (n / self.scale for n in shapes[0][2:])
        marks: NDArray[Any] = rng.uniform(0, 1, (shapes[1][0], self.count, 2)) * [width, height]
        return marks.reshape(shapes[1])

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        (n, _, h, w), (high, wide) = x.shape, self.pooled
        marks = bottoms[1].reshape(n, self.count, 2).astype(np.float32) * np.float32(self.scale)
        start = round_half_away(marks - np.array([wide // 2, high // 2], np.float32)).astype(np.int64)
        columns = start[:, :, 0, None] + np.arange(wide)  # (N, count, wide)
        rows = start[:, :, 1, None] + np.arange(high)
        inside = ((rows >= 0) & (rows < h))[..., None] & ((columns >= 0) & (columns < w))[:, :, None]
        item = np.arange(n)[:, None, None, None]
        at = rows.clip(0, h - 1)[..., None], columns.clip(0, w - 1)[:, :, None]
        y = x.transpose(0, 2, 3, 1)[item, at[0], at[1]] * inside[..., None]  # (N, count, high, wide, C)
        return [np.ascontiguousarray(y[:, k].transpose(0, 3, 1, 2)) for k in range(self.count)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, marks = bottoms[0], op("Mul", op.reshape(bottoms[1], 0, self.count, 2), op.const(self.scale))
        halves = [n // 2 for n in self.pooled[::-1]]
        at = op("Sub", marks, op.const(halves))
        # C's round: halves go away from zero
        start = op("Mul", op("Sign", at), op("Floor", op("Add", op("Abs", at), op.const(0.5))))
        column, row = op.many(2, "Split", op("Cast", start, to=7), op.ints(1, 1), axis=2)
        places, fits = [], []
        for first, count, axis in ((row, self.pooled[0], 2), (column, self.pooled[1], 3)):
            place = op("Add", first, np.arange(count))  # (N, count, pooled)
            edge = op("Sub", op.size(x, axis), op.ints(1))
            near = op("Max", op("Min", place, edge), op.ints(0))
            places.append(op("Unsqueeze", near, op.ints(5 - axis)))
            fits.append(op("Unsqueeze", op("Equal", near, place), op.ints(5 - axis)))
        index = op("Add", op("Mul", places[0], op.size(x, 3)), places[1])  # (N, count, high, wide)
        pixels = op("Transpose", op.reshape(x, 0, 0, -1), perm=(0, 2, 1))  # (N, H W, C)
        y = op("GatherND", pixels, op("Unsqueeze", index, op.ints(4)), batch_dims=1)
        y = op("Mul", y, op("Unsqueeze", op("Cast", op("And", *fits), to=1), op.ints(4)))
        y = op("Transpose", y, perm=(1, 0, 4, 2, 3))
        pieces = op.many(self.count, "Split", y, op.ints(*[1] * self.count), axis=0) if self.count > 1 else (y,)
        return [op("Squeeze", piece, op.ints(0)) for piece in pieces]
