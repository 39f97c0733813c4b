"""DetectionOutput of tl_ssd: suppression over all classes at once, and the states of what is found."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, by_data
from .shared.boxes import by_score, suppress
from .shared.boxes_onnx import LOWEST, emit_halves, emit_nms, emit_none, emit_only_best
from .shared.detection_boxes import DetectionBoxes


class StateDetectionOutput(DetectionBoxes):
    """Per image: of all classes together the scores above confidence_threshold, the top_k best, greedy suppression of boxes whose
    intersection over union exceeds nms_threshold; then the keep_top_k best. Rows (image, label, score, the S states of the prior, x1, y1,
    x2, y2) by image, label, falling score, without states unless do_state_prediction.

    Where nothing is found in any image there are N rows of -1, but for the image ids, which stand at every seventh number of
    them all, however long a row is.

    Shapes: as DetectionBoxes, states (N, P * S) -> (1, 1, K, 7 + S).
    Source: julimueller/tl_ssd, detection_output_layer.cu (its CPU code leaves out the states)
    """

    types = ()
    tops = (1, 1)
    choices = (0,)
    columns = -1
    emit_caffe2 = LayerType.emit_caffe2  # there is none

    def read_fields(self, q: Params) -> None:
        super().read_fields(q)
        predicts, self.states = q.get_bool("do_state_prediction"), q.get_int("num_states")
        self.states = self.states if predicts else 0
        if predicts and (self.bottom_count != 4 or self.states < 1):
            problem = f"do_state_prediction with {self.bottom_count} bottoms and num_states {self.states}"
            raise q.refuse("do_state_prediction", problem, expected="four bottoms, num_states positive")
        if not self.shared or (self.eta < 1 and self.overlap > 0.5):
            problem = f"share_location is {str(self.shared).lower()}, eta {self.eta:g}"
            fix = "cut the net before this layer (--output), and choose in your own code"
            raise q.refuse("share_location", problem, expected="true, and eta 1", fix=fix)

    def used(self, bottoms: Sequence[Any]) -> Sequence[Any]:
        return bottoms[:3]

    def shapes(self, bottoms: Shapes) -> Shapes:
        p = self.priors(bottoms[:3])
        if self.states:
            self.require(bottoms[3][0], bottoms[0][0], "batch of the states")
            self.require(bottoms[3][1], p * self.states, "channels of the states")
        return [(1, 1, by_data(self.name, "detections"), 7 + self.states)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        boxes, scores, _ = super().forward(bottoms, weights)
        n, p, width = len(boxes), boxes.shape[1], 7 + self.states
        states = bottoms[3].reshape(n, p, self.states) if self.states else np.zeros((n, p, 0), boxes.dtype)
        rows = [np.zeros((0, width), boxes.dtype)]
        for image in range(n):
            chance = scores[image][:, self.labels].T.ravel()  # class by class
            at = np.flatnonzero(chance > self.threshold)
            at = at[by_score(chance[at])][: self.top_k if self.top_k >= 0 else None]
            at = at[suppress(boxes[image, at % p], self.overlap)][: self.keep_top_k if self.keep_top_k >= 0 else None]
            label = np.array(self.labels)[at // p]
            order = np.argsort(label, kind="stable")
            at, label = at[order], label[order]
            named = np.stack([np.full(len(at), image), label, chance[at]], axis=1)
            rows.append(np.hstack([named, states[image, at % p], boxes[image, at % p]]))
        table = np.concatenate(rows).astype(boxes.dtype)
        if not len(table):
            table = np.full(n * width, -1, boxes.dtype)
            table[: 7 * n : 7] = np.arange(n)
        return [table.reshape(1, 1, -1, width)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.uniform(0, 1, shapes[3]) if index == 3 else super().sample(index, shapes, rng)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        boxes, scores, _ = super().emit(op, bottoms, weights)
        batch, p, k, width = op.size(bottoms[0], 0), op.size(scores, 1), len(self.labels), 7 + self.states
        scores = op("Transpose", scores, perm=(0, 2, 1))
        if k < self.classes:
            scores = op("Gather", scores, np.array(self.labels), axis=1)
        scores = op("Reshape", scores, op.ints(batch, 1, -1))
        if self.top_k >= 0:
            scores = emit_only_best(op, scores, self.top_k, self.threshold)
        tested = op("Concat", *[boxes] * k, axis=1) if k > 1 else boxes
        if self.code != "CENTER_SIZE":  # to Caffe a box with x2 < x1 overlaps nothing, to ONNX its corners are swapped
            low, high = emit_halves(op, tested)
            tested = op("Concat", low, op("Max", low, high), axis=-1)
        # what is found first is better: the first of an image are its best
        limits = [n for n in (self.top_k, self.keep_top_k) if n >= 0]
        most = op.ints(min(limits)) if limits else op("Mul", p, op.ints(k))
        detections = emit_nms(op, tested, scores, most, self.overlap, max(self.threshold, LOWEST))
        image, _, at = op.many(3, "Split", detections, op.ints(1, 1, 1), axis=1)
        label, prior = op("Div", at, p), op("Mod", at, p)
        key = op("Neg", op("Cast", op("Squeeze", op("Add", op("Mul", image, op.ints(k)), label), op.ints(1)), to=1))
        _, order = op.many(2, "TopK", key, op.size(key, 0), axis=0)
        detections, image, label, prior = (op("Gather", x, order) for x in (detections, image, label, prior))
        place = op("Concat", image, prior, axis=1)
        score = op("Unsqueeze", op("GatherND", scores, detections), op.ints(1))
        columns = [op("Cast", image, to=1), op("Gather", op.const(self.labels), label), score]
        if self.states:
            columns.append(op("GatherND", op.reshape(bottoms[3], 0, -1, self.states), place))
        rows = op("Concat", *columns, op("GatherND", boxes, place), axis=1)
        none = op("Mul", emit_none(op, rows), batch)
        count = op("Squeeze", op("Mul", none, op.ints(width)))
        numbers = op("Range", op.const(0, "int64"), count, op.const(1, "int64"))
        item = op("Div", numbers, op.ints(7))
        is_id = op("And", op("Equal", op("Mul", item, op.ints(7)), numbers), op("Less", item, batch))
        blank = op("Where", is_id, op("Cast", item, to=1), op.const(-1))
        table = op("Concat", rows, op.reshape(blank, -1, width), axis=0)
        return [op.reshape(table, 1, 1, -1, width)]
