"""EvalDetection with anchors: the detections of YOLOv2 held against true boxes."""

import numpy as np

from .core import Arrays, Op, Params, Shapes, Tensors, product
from .shared.boxes import by_score, suppress
from .shared.boxes_onnx import LOWEST, emit_grid, emit_nms
from .shared.evaluation import Evaluation, Truth
from .shared.evaluation_onnx import emit_evaluation

ANCHORS = 5
LEAST = float(np.float32(0.005))
"""What a confidence must reach, and times a probability exceed (darknet's)."""


class EvalDetectionYolo2(Evaluation):
    """For each cell and each of five anchors (w, h), in cells, with s the sigmoid:

        x = (col + s(tx)) / side,  y = (row + s(ty)) / side,  exp(tw) w / side,  exp(th) h / side

    Every class with s(objectness) * softmax(classes)[c] above 0.005 is a detection; of each class, those that overlap a better one
    by `nms` go (where nms is below 0, all do). One below `threshold` is neither a true nor a false positive where its class is there.

    Shapes: (N, 5 (5 + num_class), side, side), label (1, 1, M, 8): image, class + 1, .., x1, y1, x2, y2, ..
    -> (N, num_class + 20 side^2).
    Source: choasup/caffe-yolo9000, eval_detection_layer.cpp
    """

    misses_count = False

    def read(self, p: Params) -> None:
        q = self.read_common(p)
        q.ignore("sqrt", "constriant", why="the fork does not use them")
        biases = q.get_floats("biases")
        if self.objects != ANCHORS or len(biases) < 2 * ANCHORS:
            problem = f"num_object is {self.objects}, {len(biases)} biases"
            raise q.refuse("biases", problem, expected="num_object 5, which the fork has in its code, with 10 biases")
        self.anchors = np.array(biases[: 2 * ANCHORS], np.float32).reshape(ANCHORS, 2)

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, label = bottoms
        self.rank(x, 4, "bottom 0")
        for axis, size, what in (
            (1, ANCHORS * (5 + self.classes), "channels"),
            (2, self.side, "height"),
            (3, self.side, "width"),
        ):
            self.require(x[axis], size, what)
        self.rank(label, 4, "the label")
        self.require(label[3], 8, "numbers per row of the label")
        self.require(product(label[:2]), 1, "batch and channels of the label")
        return self.top(x[0])

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        dtype, bottoms = bottoms[0].dtype, [b.astype(np.float32) for b in bottoms]  # they decide which detections count
        x, label = bottoms
        n, side = len(x), self.side
        v = x.reshape(n, ANCHORS, -1, side, side).transpose(0, 3, 4, 1, 2)
        grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=2)[:, :, None].astype(x.dtype)
        centre = (grid + 1 / (1 + np.exp(-v[..., :2]))) / side
        box = np.concatenate([centre, np.exp(v[..., 2:4]) * self.anchors / side], axis=-1).reshape(n, -1, 4)
        sure = (1 / (1 + np.exp(-v[..., 4:5]))).reshape(n, -1, 1)
        e = np.exp(v[..., 5:] - v[..., 5:].max(axis=-1, keepdims=True))
        share = (e / e.sum(axis=-1, keepdims=True)).reshape(n, -1, self.classes)
        fits = (sure * share > LEAST) & (sure >= LEAST)
        score = {"OBJ": np.broadcast_to(sure, share.shape), "PROB": share, "MULTIPLY": sure * share}[self.judge]
        rows = label.reshape(-1, 8)
        tops = []
        for item in range(n):
            labels, at = [], []
            for kind in range(self.classes if self.overlap >= 0 else 0):
                order = np.flatnonzero(fits[item, :, kind])
                order = order[by_score(score[item, order, kind])]
                b = box[item, order]
                corners = np.concatenate([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], axis=1)
                survivors = suppress(corners, self.overlap, area=b[:, 2] * b[:, 3], at_equal=True)
                at += order[survivors].tolist()
                labels += [kind] * len(survivors)
            mine = rows[rows[:, 0].astype(np.int64) == item]
            low, high = mine[:, 3:5], mine[:, 5:7]
            truth = Truth(
                np.concatenate([(low + high) / 2, high - low], axis=1),
                mine[:, 1].astype(np.int64) - 1,
                np.zeros(len(mine), bool),
            )
            tops.append(self.rows(np.array(labels), score[item, at, labels], box[item, at], truth))
        return [np.stack(tops).astype(dtype)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, label = bottoms
        side, batch = self.side, op.size(bottoms[0], 0)
        v = op("Transpose", op.reshape(x, 0, ANCHORS, 5 + self.classes, side, side), perm=(0, 3, 4, 1, 2))
        shift, growth, sure, kind = op.many(4, "Split", v, op.ints(2, 2, 1, self.classes), axis=-1)
        grid = emit_grid(op, op.ints(side), op.ints(side))
        centre = op("Mul", op("Add", op("Sigmoid", shift), grid), op.const(1 / side))
        box = op("Concat", centre, op("Mul", op("Exp", growth), self.anchors / np.float32(side)), axis=-1)
        box = op.reshape(box, batch, self.room, 4)
        sure, share = op("Sigmoid", sure), op("Softmax", kind, axis=-1)
        chance = op("Mul", sure, share)
        fits = op("And", op("Greater", chance, op.const(LEAST)), op("GreaterOrEqual", sure, op.const(LEAST)))
        score = {"OBJ": sure, "PROB": share, "MULTIPLY": chance}[self.judge]
        score = op.reshape(op("Where", fits, score, op.const(LOWEST)), batch, self.room, self.classes)
        score = op("Transpose", score, perm=(0, 2, 1))
        least = float(np.nextafter(np.float32(self.overlap), np.float32(0))) if self.overlap > 0 else 0.0
        most = op.ints(0 if self.overlap < 0 else self.room if self.overlap else 1)
        survivors = emit_nms(op, box, score, most, least, -1, centred=True)
        image, named = (op("Gather", survivors, op.const(i, "int64"), axis=1) for i in (0, 1))
        detections = (
            image,
            named,
            op("GatherND", score, survivors),
            op("GatherND", box, op("Gather", survivors, op.ints(0, 2), axis=1)),
        )
        item, true_kind, _, low, high, _ = op.many(
            6, "Split", op.reshape(label, -1, 8), op.ints(1, 1, 1, 2, 2, 1), axis=1
        )
        item, true_kind = (op("Cast", op("Squeeze", t, op.ints(1)), to=7) for t in (item, true_kind))
        centre = op("Mul", op("Add", low, high), op.const(0.5))
        true_box = op("Concat", centre, op("Sub", high, low), axis=1)
        counts = op("GreaterOrEqual", item, op.const(0, "int64"))
        truth = (item, op("Sub", true_kind, op.ints(1)), true_box, counts)
        return [emit_evaluation(op, self, detections, truth, None, batch)]
