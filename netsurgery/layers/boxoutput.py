"""BoxOutput: the boxes that MS-CNN's proposal network finds."""

import numpy as np

from .core import Array, Arrays, LayerType, Op, Params, Shapes, Tensors, by_data
from .shared.bbox_reg import read_normalization
from .shared.boxes import by_score, suppress, suppress_by_part
from .shared.boxes_onnx import emit_corners, emit_grid, emit_halves, emit_none
from .shared.boxoutput_onnx import emit_choice

NO_BOX = (0, 1, 1, 10, 10)


class BoxOutput(LayerType):
    """Each bottom is a level, with its own rate and field (w, h); its channels are those of the classes, then x, y, w, h. For each cell,
    score = the greatest of classes 1 .. minus class 0, kept where it reaches fg_thr; t = the four numbers, times bbox_std plus bbox_mean:

        centre = clip(t_x, +-1 / field_xyr) field_w + (col + 1/2) rate,  w = field_w exp(clip(t_w, +-log field_whr))

    (y and h alike); x = max(centre - w / 2, 0), w is cut at the level's width * rate - x, boxes with a side below min_size go. Per
    image, by falling score (of equal ones the later first), the max_nms_num best are gone through: one goes whose overlap with a kept one
    exceeds iou_thr (over the union; IOMU: the lesser area, IOFU: the kept one's); max_post_nms_num stay.

    Shapes: levels (N, classes + 4, H, W) -> rows (image, x1, y1, x2, y2) (R, 5, 1, 1), with the score (R, 6, 1, 1).
    One row 0 1 1 10 10, and one of zeros, where there is no box at all.
    Source: zhaoweicai/mscnn, box_output_layer.cpp
    """

    types = ("BoxOutput",)
    bottoms = (1, None)
    tops = (1, 2)
    choices = (0, 1)
    columns = 1
    note = "of mscnn"

    def read(self, p: Params) -> None:
        q = p.message("box_output_param")
        self.least, self.overlap, self.measure = q.get_float("fg_thr"), q.get_float("iou_thr"), q.get_str("nms_type")
        self.before, self.after = q.get_int("max_nms_num"), q.get_int("max_post_nms_num")
        self.smallest = q.get_float("min_size")
        field_w, field_h, self.rates = (q.get_ints(name) for name in ("field_w", "field_h", "downsample_rate"))
        whr, xyr = q.get_float("field_whr"), q.get_float("field_xyr")
        self.normalization = read_normalization(p)
        for name, values in (("field_w", field_w), ("field_h", field_h), ("downsample_rate", self.rates)):
            if len(values) != self.bottom_count:
                raise q.refuse(name, f"{len(values)} {name}", expected=f"{self.bottom_count}: one for each bottom")
        if not whr >= 1 or not xyr > 0 or not self.overlap >= 0:
            problem = f"field_whr {whr:g}, field_xyr {xyr:g}, iou_thr {self.overlap:g}"
            raise q.refuse("field_whr", problem, expected="field_whr 1 or more, field_xyr positive, iou_thr 0 or more")
        if self.measure not in ("IOMU", "IOFU"):  # the fork takes any other word for IOU
            self.measure = "IOU"
        self.fields = np.array([field_w, field_h], np.float32).T
        self.shift, self.growth = float(np.float32(1) / np.float32(xyr)), float(np.log(np.float32(whr)))

    def shapes(self, bottoms: Shapes) -> Shapes:
        for i, bottom in enumerate(bottoms):
            self.rank(bottom, 4, f"bottom {i}")
            self.require(bottom[0], bottoms[0][0], f"batch of bottom {i}")
            self.require(bottom[1], bottoms[0][1], f"channels of bottom {i}")
        self.require_least(bottoms[0][1], 6, "channels, at least: two classes and four numbers")
        count = by_data(self.name, "boxes")
        return [(count, 5, 1, 1), (count, 6, 1, 1)][: self.top_count]

    def _level(self, i: int, x: Array) -> tuple[Array, Array]:
        """The boxes (N, H W, 4) of a level as x, y, w, h, and their scores (N, H W), -inf for those that do not count."""
        (h, w), field, rate = x.shape[2:], self.fields[i], self.rates[i]
        score = (x[:, 1:-4].max(axis=1) - x[:, 0]).reshape(len(x), -1)
        t = x[:, -4:].transpose(0, 2, 3, 1)
        if self.normalization:
            means, deviations = self.normalization
            t = t * deviations + means
        cell = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2).astype(x.dtype)
        centre = t[..., :2].clip(-self.shift, self.shift) * field + (cell + x.dtype.type(0.5)) * rate
        size = field * np.exp(t[..., 2:].clip(-self.growth, self.growth))
        low = np.maximum(centre - size / 2, 0)
        size = np.minimum(size, np.array([w * rate, h * rate], x.dtype) - low)
        fits = (size >= self.smallest).all(axis=-1).reshape(score.shape) & (score >= self.least)
        boxes = np.concatenate([low, size], axis=-1).reshape(len(x), -1, 4)
        return boxes, np.where(fits, score, -np.inf)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        dtype, bottoms = bottoms[0].dtype, [x.astype(np.float32) for x in bottoms]  # they decide which boxes count
        boxes, scores = (
            np.concatenate(x, axis=1) for x in zip(*map(self._level, range(len(bottoms)), bottoms), strict=True)
        )
        rows = [np.zeros((0, 6), dtype)]
        for image, (box, score) in enumerate(zip(boxes, scores, strict=True)):
            at = np.flatnonzero(score > -np.inf)[::-1]
            at = at[by_score(score[at])][: self.before or None]
            survivors = at[self._survivors(box[at])[: self.after or None]]
            low, size = box[survivors, :2], box[survivors, 2:]
            rows.append(
                np.concatenate([np.full((len(survivors), 1), image), low, low + size, score[survivors, None]], axis=1)
            )
        table = np.concatenate(rows).astype(dtype)[:, :, None, None]
        if len(table):
            return [table[:, :5], table][: self.top_count]
        none = np.array(NO_BOX, dtype).reshape(1, 5, 1, 1)
        return [none, np.zeros((1, 6, 1, 1), dtype)][: self.top_count]

    def _survivors(self, boxes: Array) -> list[int]:
        """Which of the boxes, best first, stay."""
        low, size = boxes[:, :2], boxes[:, 2:]
        corners, area = np.concatenate([low, low + size], axis=1), size[:, 0] * size[:, 1]
        if self.measure == "IOU":
            return suppress(corners, self.overlap, area=area)
        return suppress_by_part(corners, area, self.overlap, lesser=self.measure == "IOMU")

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        levels = []
        for x, field, rate in zip(bottoms, self.fields, self.rates, strict=True):
            h, w = op.size(x, 2), op.size(x, 3)
            kinds = op("Slice", x, op.ints(1), op.ints(-4), op.ints(1))
            best = op("ReduceMax", kinds, axes=(1,)) if op.opset < 18 else op("ReduceMax", kinds, op.ints(1))
            score = op("Sub", best, op("Slice", x, op.ints(0), op.ints(1), op.ints(1)))
            t = op("Transpose", op("Slice", x, op.ints(-4), op.ints(2**31), op.ints(1)), perm=(0, 2, 3, 1))
            if self.normalization:
                means, deviations = self.normalization
                t = op("Add", op("Mul", t, deviations), means)
            shift, growth = emit_halves(op, t)
            shift = op("Clip", shift, op.const(-self.shift), op.const(self.shift))
            growth = op("Clip", growth, op.const(-self.growth), op.const(self.growth))
            cell = op.reshape(op("Mul", op("Add", emit_grid(op, w, h), op.const(0.5)), op.const(rate)), h, w, 2)
            half = op("Mul", op("Exp", growth), field / np.float32(2))
            low, _ = emit_halves(op, emit_corners(op, op("Add", op("Mul", shift, field), cell), half))
            low = op("Max", low, op.const(0))
            edge = op("Mul", op("Cast", op.ints(w, h), to=1), op.const(rate))
            size = op("Min", op("Mul", half, op.const(2)), op("Sub", edge, low))
            box = op.reshape(op("Concat", low, size, axis=-1), 0, -1, 4)
            score = op.reshape(score, 0, -1)
            large = op("And", *emit_halves(op, op("GreaterOrEqual", size, op.const(self.smallest)), half=1))
            fits = op("And", op.reshape(large, 0, -1), op("GreaterOrEqual", score, op.const(self.least)))
            levels.append((box, score, fits))
        box, score, fits = (op("Concat", *x, axis=1) if len(x) > 1 else x[0] for x in zip(*levels, strict=True))
        rows = emit_choice(
            op, box, score, fits, before=self.before, after=self.after, overlap=self.overlap, measure=self.measure
        )
        none = emit_none(op, rows)
        tops = []
        for columns, blank in ((5, NO_BOX), (6, (0,) * 6)):
            top = rows if columns == 6 else op("Slice", rows, op.ints(0), op.ints(5), op.ints(1))
            top = op("Concat", top, op("Expand", op.const(blank), op.ints(none, columns)), axis=0)
            tops.append(op("Unsqueeze", top, op.ints(2, 3)))
        return tops[: self.top_count]
