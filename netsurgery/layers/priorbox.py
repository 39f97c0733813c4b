"""PriorBox: the default boxes of SSD, one set for each cell of a feature map."""

import numpy as np
from numpy.typing import ArrayLike

from .caffe2.boxes import grid, halves
from .caffe2.operators import expand, like
from .core import Array, Arrays, LayerType, Op, Params, Reaches, Shape, Shapes, Size, Tensor, Tensors, product
from .shared.boxes_onnx import emit_grid
from .shared.priors import Priors, read_dense_priors, read_offset_priors, read_pair, read_priors


class PriorBox(LayerType):
    """For each cell (row, col) and each of K boxes, of size (w, h), at (ox, oy) in the cell, moved by (sx, sy): the corners

        ((col + ox) * step_w + sx -+ w / 2) / img_w,  ((row + oy) * step_h + sy -+ h / 2) / img_h

    in channel 0, the variances in channel 1. Which boxes there are: shared/priors.py. The image is the second bottom unless img_size
    or img_h and img_w are set; a step is image / map unless it is set.

    Shapes: map (.., .., H, W), image (.., .., h, w) -> (1, 2, H * W * K * 4).
    Source: prior_box_layer.cpp (SSD; MhLiao/TextBoxes_plusplus, zihaozhang9/FaceBoxes, julimueller/tl_ssd by their fields)
    """

    types = ("PriorBox",)
    columns = 1
    bottoms = (1, None)
    note = "SSD's, or by their fields TextBoxes++'s, FaceBoxes's, tl_ssd's"

    def read(self, p: Params) -> None:
        q = p.message("prior_box_param")
        self.variance, self.clip = q.get_floats("variance"), q.get_bool("clip")
        if len(self.variance) not in (0, 1, 4) or any(v <= 0 for v in self.variance):
            raise q.refuse("variance", f"variance is {list(self.variance)}", expected="one or four positive numbers")
        for name in ("faceboxes", "keras", "tf", "yx_order"):
            if q.get_bool(name, False):
                raise q.refuse(name, f"{name} is set", expected="SSD's boxes: this fork's are not known")
        self.variance = self.variance or (float(np.float32(0.1)),)
        self.image = read_pair(q, "img", "img_size")
        self.step = read_pair(q, "step", "step")
        self.priors = self.read_priors(p, q)

    def read_priors(self, p: Params, q: Params) -> Priors:
        """The boxes of each cell."""
        if p.sets("prior_box_param", "fixed_size", "fixed_ratio", "density"):
            return read_dense_priors(q)
        return (read_offset_priors if p.sets("prior_box_param", "offset_w", "offset_h") else read_priors)(q)

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
        return [(1, 2, product(self._sides(bottoms[0])) * len(self.priors.sizes) * 4)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        dtype, single = bottoms[0].dtype, np.float32
        w, h = (int(n) for n in self._sides(bottoms[0].shape) if isinstance(n, int))
        image = np.array(self.image or self._sides(bottoms[1].shape), single)
        step = np.array(self.step, single) if self.step else image / np.array([w, h], single)
        x, y = (
            (np.arange(n, dtype=single)[:, None] + self.priors.offsets[:, i].astype(single)) * step[i]
            for i, n in enumerate((w, h))
        )
        centre = np.stack(np.broadcast_arrays(x, y[:, None]), axis=3).astype(np.float64)  # (h, w, K, 2)
        centre = (centre + self.priors.shifts).astype(single).astype(np.float64) if self.priors.shifts.any() else centre
        half = self.priors.sizes / 2
        boxes = np.concatenate([centre - half, centre + half], axis=3) / np.tile(image, 2)
        if self.priors.bounded:
            boxes = np.concatenate([np.maximum(boxes[..., :2], 0), np.minimum(boxes[..., 2:], 1)], axis=3)
        boxes = boxes.clip(0, 1) if self.clip else boxes
        variances = np.broadcast_to(np.array(self.variance, single), boxes.shape)
        return [np.stack([boxes.ravel(), variances.ravel()])[None].astype(dtype)]

    def _offsets(self) -> Array:
        """What is added to the cell, for the two corners: one number where it is the same for all."""
        offsets = self.priors.offsets
        return np.array(offsets.flat[0]) if (offsets == offsets.flat[0]).all() else np.tile(offsets, 2)

    def _ends(self) -> Array:
        """What is added to the place of a cell, in pixels, for the two corners: (K, 4)."""
        half = self.priors.sizes / 2
        return np.concatenate([self.priors.shifts - half, self.priors.shifts + half], axis=1)

    def _emit_sizes(self, op: Op, bottoms: Tensors) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Width and height of the map, and (w, h, w, h) of the image and of a step."""
        used = bottoms[: 1 if self.image else 2]
        (w, h), *sides = ([op.size(x, i) if len(x.shape) > i else op.ints(1) for i in (3, 2)] for x in used)
        image = op.const([*self.image] * 2) if self.image else op("Cast", op.ints(*sides[0], *sides[0]), to=1)
        step = op.const([*self.step] * 2) if self.step else op("Div", image, op("Cast", op.ints(w, h, w, h), to=1))
        return w, h, image, step

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w, h, image, step = self._emit_sizes(op, bottoms)
        k = len(self.priors.sizes)
        # the numbers of a cell lie in one row (h, w, 1, 4 K): by measurement arithmetic with rows of four takes three times as long
        image, step = (op("Tile", x, op.ints(k)) for x in (image, step))
        centres = op("Add", emit_grid(op, w, h, repeat=2 * k), self._row(self._offsets()))
        boxes = op("Div", op("Add", op("Mul", centres, step), self._row(self._ends())), image)
        if self.priors.bounded:
            big = float(np.finfo(np.float32).max)
            boxes = op("Min", op("Max", boxes, self._row([0, 0, -big, -big])), self._row([big, big, 1, 1]))
        if self.clip:
            boxes = op("Clip", boxes, op.const(0), op.const(1))
        variances = op("Expand", self._row(self.variance), op("Shape", boxes))
        return [op.reshape(op("Concat", boxes, variances, axis=0), 1, 2, -1)]

    def _row(self, numbers: ArrayLike) -> Array:
        """What is said of a box, or of all boxes of a cell, for each number of a cell: (4 K)."""
        return np.broadcast_to(np.asarray(numbers, np.float32), (len(self.priors.sizes), 4)).reshape(-1)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w, h, image, step = self._emit_sizes(op, bottoms)
        k, offsets = len(self.priors.sizes), self._offsets()
        cells = grid(op, w, h, repeat=2)
        if offsets.ndim:
            cells = expand(op, cells, h, w, k, 4)
        centres = op("Mul", op("Add", cells, op.const(offsets)), step)
        boxes = op("Div", op("Add", centres, op.const(self._ends())), image)  # (H, W, K, 4)
        if self.priors.bounded:
            low, high = halves(op, boxes, 3)
            zero, one = (like(op, low, float(t)) for t in (0, 1))
            boxes = op("Concat", op("Max", low, zero), op("Min", high, one), axis=3)
        boxes = op("Clip", boxes, min=0.0, max=1.0) if self.clip else boxes
        variances = expand(op, op.const(self.variance), h, w, k, 4)
        return [op.reshape(op("Concat", boxes, variances, axis=0), 1, 2, -1)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [None] * len(bottoms)  # it looks at their sizes alone
