"""PriorBox: the default boxes of SSD, one set for each cell of a feature map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .caffe2.boxes import grid
from .caffe2.operators import cast, expand
from .core import Arrays, LayerType, Op, Params, Reaches, Shape, Shapes, Size, Tensors, product
from .shared.boxes_onnx import emit_grid


class PriorBox(LayerType):
    """For each cell (row, col) and each of K box sizes (w, h): the corners

        ((col + offset) * step_w -+ w / 2) / img_w,  ((row + offset) * step_h -+ h / 2) / img_h

    in channel 0, the variances in channel 1. The sizes are, for each min_size m (a whole number, fractions are cut off)
    with its max_size M: (m, m), (sqrt(m M), sqrt(m M)), then (m sqrt(r), m / sqrt(r)) for each aspect ratio r other
    than 1, with `flip` also for 1 / r. The image is the second bottom unless img_size or img_h and img_w are set; a
    step is image / map unless it is set.

    Shapes: map (.., .., H, W), image (.., .., h, w) -> (1, 2, H * W * K * 4).
    Source: prior_box_layer.cpp (SSD)
    """

    types = ("PriorBox",)
    columns = 1
    bottoms = (1, None)

    def read(self, p: Params) -> None:
        q = p.message("prior_box_param")
        mins, maxs, self.variance = q.get_floats("min_size"), q.get_floats("max_size"), q.get_floats("variance")
        self.clip, self.offset = q.get_bool("clip"), q.get_float("offset")
        if not mins or not all(0 < m < 2**31 for m in mins):
            raise q.refuse("min_size", f"min_size is {list(mins)}", expected="one or more positive numbers")
        if maxs and (len(maxs) != len(mins) or not all(a < b < 2**31 for a, b in zip(mins, maxs, strict=True))):
            raise q.refuse("max_size", f"max_size is {list(maxs)}", expected=f"one above each min_size of {list(mins)}")
        if any(r <= 0 for r in q.get_floats("aspect_ratio")):
            raise q.refuse("aspect_ratio", "an aspect_ratio is not positive", expected="positive numbers")
        if len(self.variance) not in (0, 1, 4) or any(v <= 0 for v in self.variance):
            raise q.refuse("variance", f"variance is {list(self.variance)}", expected="one or four positive numbers")
        for name in ("faceboxes", "keras", "tf", "yx_order"):
            if q.get_bool(name, False):
                raise q.refuse(name, f"{name} is set", expected="SSD's boxes: this fork's are not known")
        self.variance = self.variance or (float(np.float32(0.1)),)
        self.image = self._pair(q, "img", "img_size")
        self.step = self._pair(q, "step", "step")
        ratios = self._ratios(q.get_floats("aspect_ratio"), q.get_bool("flip"))
        sizes: list[tuple[float, float]] = []
        for i, m in enumerate(int(m) for m in mins):
            sizes.append((m, m))
            if maxs:
                sizes.append((np.sqrt(m * int(maxs[i])),) * 2)
            sizes += [(m * np.sqrt(r), m / np.sqrt(r)) for r in ratios]
        self.half = np.array(sizes, np.float32).astype(np.float64) / 2  # (K, 2): half widths and heights

    @staticmethod
    def _pair(q: Params, name: str, both: str) -> tuple[float, float] | None:
        """(w, h) from name_w and name_h or from one field for both; None where neither is set."""
        sides = [(n, q.get_float(n)) for n in (f"{name}_w", f"{name}_h") if q.has(n)]
        found = sides or ([(both, q.get_float(both))] if q.has(both) else [])
        if sides and q.has(both):
            raise q.refuse(both, f"{both} together with {sides[0][0]}", expected="one of the two")
        if len(sides) == 1 or any(v <= 0 for _, v in found):
            raise q.refuse(
                found[0][0],
                ", ".join(f"{n} is {v:g}" for n, v in found),
                expected=f"a positive {both}, or positive {name}_h and {name}_w",
            )
        return (found[0][1], found[-1][1]) if found else None

    @staticmethod
    def _ratios(given: Sequence[float], flip: bool) -> list[float]:
        """The aspect ratios other than 1, each once (those that flipping adds are not compared, as in Caffe)."""
        found = [np.float32(1)]
        for r in np.array(given, np.float32):
            if all(abs(float(r) - float(other)) >= 1e-6 for other in found):
                found += [r, np.float32(1 / float(r))] if flip else [r]
        return [float(r) for r in found[1:]]

    @staticmethod
    def _sides(shape: Shape) -> tuple[Size, Size]:
        """(width, height) as Caffe's old four-axis blobs have them."""
        return (shape[3] if len(shape) > 3 else 1), (shape[2] if len(shape) > 2 else 1)

    def shapes(self, bottoms: Shapes) -> Shapes:
        for shape in bottoms[: 1 if self.image else 2]:
            if len(shape) > 4:
                self.rank(shape, 4)
        if not self.image and len(bottoms) < 2:
            self.require(len(bottoms), 2, "number of bottoms", fix="set img_size, or give the image as second bottom")
        return [(1, 2, product(self._sides(bottoms[0])) * len(self.half) * 4)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        dtype, single = bottoms[0].dtype, np.float32
        w, h = (int(n) for n in self._sides(bottoms[0].shape) if isinstance(n, int))
        image = np.array(self.image or self._sides(bottoms[1].shape), single)
        step = np.array(self.step, single) if self.step else image / np.array([w, h], single)
        x = (np.arange(w, dtype=single) + single(self.offset)) * step[0]
        y = (np.arange(h, dtype=single) + single(self.offset)) * step[1]
        centre = np.stack(np.meshgrid(x, y), axis=2)[:, :, None, :].astype(np.float64)
        boxes = np.concatenate([centre - self.half, centre + self.half], axis=3) / np.tile(image, 2)
        boxes = boxes.clip(0, 1) if self.clip else boxes
        variances = np.broadcast_to(np.array(self.variance, single), boxes.shape)
        return [np.stack([boxes.ravel(), variances.ravel()])[None].astype(dtype)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        w, h = (op.size(x, axis) if len(x.shape) > axis else op.ints(1) for axis in (3, 2))
        if self.image:
            image = op.const([*self.image] * 2)
        else:
            sides = [op.size(bottoms[1], axis) if len(bottoms[1].shape) > axis else op.ints(1) for axis in (3, 2)]
            image = op("Cast", op.ints(*sides, *sides), to=1)
        step = op.const([*self.step] * 2) if self.step else op("Div", image, op("Cast", op.ints(w, h, w, h), to=1))
        centres = op("Mul", op("Add", emit_grid(op, w, h, repeat=2), op.const(self.offset)), step)
        corners = np.concatenate([-self.half, self.half], axis=1)
        boxes = op("Div", op("Add", centres, corners), image)
        if self.clip:
            boxes = op("Clip", boxes, op.const(0), op.const(1))
        variances = op("Expand", op.const(self.variance), op("Shape", boxes))
        return [op.reshape(op("Concat", boxes, variances, axis=0), 1, 2, -1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        w, h = (op.size(x, axis) if len(x.shape) > axis else op.ints(1) for axis in (3, 2))
        if self.image:
            image = op.const([*self.image] * 2)
        else:
            sides = [op.size(bottoms[1], axis) if len(bottoms[1].shape) > axis else op.ints(1) for axis in (3, 2)]
            image = cast(op, op.ints(*sides, *sides), "float")
        step = op.const([*self.step] * 2) if self.step else op("Div", image, cast(op, op.ints(w, h, w, h), "float"))
        centres = op("Mul", op("Add", grid(op, w, h, repeat=2), op.const(self.offset)), step)
        ends = op.const(np.concatenate([-self.half, self.half], axis=1))
        boxes = op("Div", op("Add", centres, ends), image)  # (H, W, K, 4)
        boxes = op("Clip", boxes, min=0.0, max=1.0) if self.clip else boxes
        variances = expand(op, op.const(self.variance), h, w, len(self.half), 4)
        return [op.reshape(op("Concat", boxes, variances, axis=0), 1, 2, -1)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [None] * len(bottoms)  # it looks at their sizes alone
