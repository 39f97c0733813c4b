"""Detections: the choice among boxes that SSD's DetectionOutput makes, and its descendants."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..caffe2.boxes import apart, best_first, best_of_images, column, ranks
from ..caffe2.boxes import rows_or_none as rows_or_none_caffe2
from ..caffe2.boxes import suppress as suppress_caffe2
from ..caffe2.operators import full, refuse
from ..core import Array, Arrays, Op, Shapes, Tensor, Tensors, UnsupportedError, by_data, minimum
from .boxes import by_score, rows_or_none, suppress
from .boxes_onnx import LOWEST, emit_halves, emit_nms, emit_only_best, emit_rows_or_none, emit_stand_in
from .detection_boxes import DetectionBoxes
from .emission import pick


class Detections(DetectionBoxes):
    """Per image and class: scores above confidence_threshold, the top_k best (equal ones by index), greedy suppression of boxes
    whose intersection over union exceeds nms_threshold; then the keep_top_k best of the image. Rows (image, label, score, x1,
    y1, x2, y2) by image, label, falling score; if nothing is found at all, (image, -1, ..) for each image.

    Shapes: as DetectionBoxes -> (1, 1, K, 7).
    """

    types: ClassVar[tuple[str, ...]] = ()
    tops = (1, 1)
    choices = (0,)
    columns = -1
    more = 0
    """How many columns stand behind those of SSD."""

    def extra(self, bottoms: Arrays) -> Array | None:
        """What stands in these columns for each prior (and class): (N, P, more) or (N, P, C, more)."""
        return None

    def emit_extra(self, op: Op, bottoms: Tensors) -> Tensor | None:
        """As `extra`."""
        return None

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.priors(bottoms)
        return [(1, 1, by_data(self.name, "detections"), 7 + self.more)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        boxes, scores, _ = super().forward(bottoms, weights)
        extra, width = self.extra(bottoms), 7 + self.more
        rows = []
        for image, (box, score) in enumerate(zip(boxes, scores, strict=True)):
            parts = []
            for label in self.labels:
                at = np.flatnonzero(score[:, label] > self.threshold)
                at = at[by_score(score[at, label])][: self.top_k if self.top_k >= 0 else None]
                corners = box[at] if self.shared else box[at, label]
                survivors = suppress(corners, self.overlap, eta=self.eta)
                named = np.broadcast_to(np.array([image, label], box.dtype), (len(survivors), 2))
                parts.append(np.hstack([named, score[at[survivors], label][:, None], corners[survivors]]))
                if extra is not None:
                    more = extra[image, at[survivors]] if self.shared else extra[image, at[survivors], label]
                    parts[-1] = np.hstack([parts[-1], more])
            table = np.concatenate([np.zeros((0, width), box.dtype), *parts])
            if -1 < self.keep_top_k < len(table):
                table = table[np.sort(by_score(table[:, 2])[: self.keep_top_k])]
            rows.append(table)
        return [rows_or_none(rows, len(boxes), boxes.dtype, width)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        if self.eta < 1 and self.overlap > 0.5:
            raise UnsupportedError(
                f"adaptive suppression (eta {self.eta:g}) has no ONNX form",
                layer=self,
                expected="eta 1, or nms_threshold at most 0.5, where eta changes nothing",
                fix="--detections raw leaves the choice to your own code",
            )
        boxes, scores, _ = super().emit(op, bottoms, weights)
        n, p, k = bottoms[0].shape[0], bottoms[2].shape[2] // 4, len(self.labels)
        extra, width = self.emit_extra(op, bottoms), 7 + self.more
        if not k:
            return [emit_rows_or_none(op, op.const(np.zeros((0, width))), op.size(bottoms[0], 0), width)]
        labels = np.array(self.labels)
        scores = op("Transpose", scores, perm=(0, 2, 1), shape=(n, self.classes, p))
        if k < self.classes:  # behind the Transpose: whole rows are copied
            scores = op("Gather", scores, labels, axis=1, shape=(n, k, p))
        if not self.shared:  # suppression takes one set of boxes per batch item: let each class be an item
            boxes = self._by_class(op, boxes, op.size(scores, 2), 4)
            extra = None if extra is None else self._by_class(op, extra, op.size(scores, 2), self.more)
            scores = op.reshape(scores, -1, 1, op.size(scores, 2), shape=(n * k, 1, p))
        count = op.size(scores, 2)
        if op.never_empty:  # a box that is chosen last in every image and class
            least = float(np.nextafter(np.float32(self.threshold), np.float32(np.inf)))
            scores = emit_stand_in(op, scores, least, axis=2)
            boxes = emit_stand_in(op, boxes, -1)
            extra = None if extra is None else emit_stand_in(op, extra, -1)
        most = p if self.top_k < 0 else minimum(p, self.top_k)
        if most != p:
            scores = emit_only_best(op, scores, self.top_k, self.threshold)
        tested = boxes
        if self.code != "CENTER_SIZE":  # to Caffe a box with x2 < x1 overlaps nothing, to ONNX its corners are swapped
            low, high = emit_halves(op, boxes)
            tested = op("Concat", low, op("Max", low, high), axis=-1)
        limit = op.size(scores, 2) if self.top_k < 0 else op.ints(self.top_k)
        detections = emit_nms(op, tested, scores, limit, self.overlap, self.threshold)
        score = op("GatherND", scores, detections)
        can_find = k * most
        if self.keep_top_k >= 0 and not (isinstance(can_find, int) and can_find <= self.keep_top_k):
            nothing = op("Expand", op.const(LOWEST), op("Shape", scores))
            flat = op.reshape(op("ScatterND", nothing, detections, score), op.size(bottoms[0], 0), -1)
            best, at = op.many(2, "TopK", flat, op("Min", op.ints(self.keep_top_k), op.size(flat, 1)), axis=1)
            none = op("Expand", op.const(LOWEST), op("Shape", flat))
            dense = op("Reshape", op("ScatterElements", none, at, best, axis=1), op("Shape", scores))
            mask = op("Greater", op("GatherND", dense, detections), op.const(LOWEST))
            detections, score = pick(op, mask, detections, score)
        item, label = (op("Gather", detections, op.ints(i), axis=1) for i in (0, 1))
        if not self.shared:
            item, label = op("Div", item, op.ints(k)), op("Mod", item, op.ints(k))
        corners = op("GatherND", boxes, op("Gather", detections, op.ints(0, 2), axis=1))
        label = op("Gather", op.const(self.labels), label)
        columns = [op("Cast", item, to=1), label, op("Unsqueeze", score, op.ints(1)), corners]
        if extra is not None:
            columns.append(op("GatherND", extra, op("Gather", detections, op.ints(0, 2), axis=1)))
        real = None
        if op.never_empty:
            real = op("Cast", op("Less", op("Gather", detections, op.const(2, "int64"), axis=1), count), to=7)
        return [emit_rows_or_none(op, op("Concat", *columns, axis=1), op.size(bottoms[0], 0), width, real)]

    def _by_class(self, op: Op, x: Tensor, count: Tensor, numbers: int) -> Tensor:
        """(N, P, C, numbers) -> (N k, P, numbers), of the classes that can be found."""
        x = op("Transpose", x, perm=(0, 2, 1, 3))
        x = op("Gather", x, np.array(self.labels), axis=1) if len(self.labels) < self.classes else x
        return op("Reshape", x, op.ints(-1, count, numbers))

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        if self.eta < 1 and self.overlap > 0.5:
            raise refuse(self, f"adaptive suppression (eta {self.eta:g})", expected="eta 1, or nms_threshold up to 0.5")
        batch, p, k = op.size(bottoms[0], 0), op.number(bottoms[2].shape[2] // 4), len(self.labels)
        most = p if self.top_k < 0 else min(p, self.top_k)
        if not k or not most or self.keep_top_k == 0:
            return [rows_or_none_caffe2(op, op.const(np.zeros((0, 7))), batch)]
        boxes, scores, _ = super().emit_caffe2(op, bottoms, weights)
        labels = op.const(self.labels, "int64")
        scores = op("Transpose", op("Gather", scores, labels, axis=2), axes=(0, 2, 1))  # (N, k, P)
        values, at = best_first(op, scores, 3, p, most)  # (N, k, most)
        index = op("Add", at, op.reshape(op("Mul", op("Range", batch), op.ints(p)), -1, 1, 1))
        if not self.shared:  # boxes stand prior by prior, class by class
            index = op("Add", op("Mul", index, op.ints(self.classes)), op.reshape(labels, -1, 1))
        chosen = op("Gather", op.reshape(boxes, -1, 4), index, axis=0)  # (N, k, most, 4)
        tested = chosen
        if self.code != "CENTER_SIZE":  # to Caffe a box with x2 < x1 overlaps nothing
            tested = apart(op, chosen, (batch, k, most))
        keys = op.reshape(op("Transpose", ranks(op, values, most, self.threshold), axes=(0, 2, 1)), -1, k)
        tested = op.reshape(op("Transpose", tested, axes=(0, 2, 1, 3)), -1, 4 * k)
        splits = full(op, most, batch)
        label, place, image = suppress_caffe2(op, tested, keys, self.overlap, per_class=True, splits=splits)
        detections = op("Add", op("Mul", op("Add", op("Mul", image, op.ints(k)), label), op.ints(most)), place)
        values = op.reshape(values, -1)
        if 0 <= self.keep_top_k < k * most:
            detections = best_of_images(
                op, detections, op("Gather", values, detections), k * most, self.keep_top_k, batch
            )
        class_of = op("Div", detections, op.ints(most))
        image = op("Div", class_of, op.ints(k))
        label = op("Gather", op.const(self.labels), op("Sub", class_of, op("Mul", image, op.ints(k))))
        three = [column(op, x) for x in (image, label, op("Gather", values, detections))]
        corners = op("Gather", op.reshape(chosen, -1, 4), detections, axis=0)
        return [rows_or_none_caffe2(op, op("Concat", *three, corners, axis=1), batch)]
