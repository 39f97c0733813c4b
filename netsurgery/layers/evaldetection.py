"""EvalDetection: the detections of YOLO held against true boxes."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensor, Tensors, product
from .shared.boxes import by_score, suppress
from .shared.boxes_onnx import emit_grid, emit_nms
from .shared.emission import emit_range
from .shared.evaluation import Evaluation, Truth
from .shared.evaluation_onnx import emit_evaluation


class EvalDetection(Evaluation):
    """YOLOv1's, whose last layer gives, each as maps of side x side: class probabilities, confidences of num_object boxes, and their
    x, y, w, h. The class is the likeliest, the first of equals; x and y are within the cell (`constriant`), w and h are squared
    (`sqrt`). With `nms` not below 0, boxes of all classes together that overlap a better one by that much go.

    True boxes stand cell by cell: difficult (side^2), present (side^2), class (side^2), x, y, w, h (4 side^2).

    Shapes: (N, side^2 (num_class + 5 num_object)), (N, 7 side^2) -> (N, num_class + 4 side^2 num_object).
    Source: yeahkun/caffe-yolo, eval_detection_layer.cpp
    """

    types = ("EvalDetection",)
    note = "of yeahkun/caffe-yolo, or, where biases are given, of choasup/caffe-yolo9000"

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        from .evaldetection_yolo2 import EvalDetectionYolo2

        return EvalDetectionYolo2 if p.sets("eval_detection_param", "biases") else cls

    def read(self, p: Params) -> None:
        q = self.read_common(p)
        self.squared, self.within = q.get_bool("sqrt"), q.get_bool("constriant")

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, label = bottoms
        cells = self.side * self.side
        self.require(product(x[1:]), cells * (self.classes + 5 * self.objects), "numbers per item")
        self.require(label[0], x[0], "batch of the label")
        self.require(product(label[1:]), cells * 7, "numbers per item of the label")
        return self.top(x[0])

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        dtype, bottoms = bottoms[0].dtype, [b.astype(np.float32) for b in bottoms]  # they decide which detections count
        side, cells = self.side, self.side * self.side
        tops = []
        for x, true in zip(
            bottoms[0].reshape(len(bottoms[0]), -1), bottoms[1].reshape(len(bottoms[1]), -1), strict=True
        ):
            chance, sure, box = np.split(x, [self.classes * cells, (self.classes + self.objects) * cells])
            box = box.reshape(self.objects, 4, cells).transpose(2, 0, 1).reshape(-1, 4).copy()
            if self.within:
                cell = np.arange(cells).repeat(self.objects)
                box[:, :2] = (box[:, :2] + np.stack([cell % side, cell // side], axis=1)) / side
            if self.squared:
                box[:, 2:] **= 2
            chance = chance.reshape(self.classes, cells)
            label = chance.argmax(axis=0).repeat(self.objects)
            likely, sure = chance.max(axis=0).repeat(self.objects), sure.reshape(self.objects, cells).T.ravel()
            score = {"OBJ": sure, "PROB": likely, "MULTIPLY": sure * likely}[self.judge]
            at = by_score(score)
            if self.overlap >= 0:
                corners = np.concatenate([box[at, :2] - box[at, 2:] / 2, box[at, :2] + box[at, 2:] / 2], axis=1)
                at = at[suppress(corners, self.overlap, area=box[at, 2] * box[at, 3], at_equal=True)]
            at = at[np.argsort(label[at], kind="stable")]
            present = true[cells : 2 * cells] != 0
            truth = Truth(
                true[3 * cells :].reshape(cells, 4)[present],
                true[2 * cells : 3 * cells][present].astype(np.int64),
                true[:cells][present] == 1,
            )
            tops.append(self.rows(label[at], score[at], box[at], truth))
        return [np.stack(tops).astype(dtype)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, true = (op.reshape(b, 0, -1) for b in bottoms)
        side, cells, objects = self.side, self.side * self.side, self.objects
        batch = op.size(bottoms[0], 0)
        parts = op.ints(self.classes * cells, objects * cells, 4 * objects * cells)
        chance, sure, box = op.many(3, "Split", x, parts, axis=1)
        box = op("Transpose", op.reshape(box, -1, objects, 4, cells), perm=(0, 3, 1, 2))  # (N, cells, objects, 4)
        centre, size = op.many(2, "Split", box, op.ints(2, 2), axis=3)
        if self.within:
            grid = op.reshape(emit_grid(op, op.ints(side), op.ints(side)), cells, 1, 2)
            centre = op("Mul", op("Add", centre, grid), op.const(1 / side))
        size = op("Mul", size, size) if self.squared else size
        box = op.reshape(op("Concat", centre, size, axis=3), batch, cells * objects, 4)
        likely, label = op.many(2, "TopK", op.reshape(chance, -1, self.classes, cells), op.ints(1), axis=1)
        sure = op("Transpose", op.reshape(sure, -1, objects, cells), perm=(0, 2, 1))  # (N, cells, objects)
        likely, label = (op("Transpose", t, perm=(0, 2, 1)) for t in (likely, label))
        full = op("Shape", sure)
        score = (
            op("Mul", sure, likely)
            if self.judge == "MULTIPLY"
            else sure
            if self.judge == "OBJ"
            else op("Expand", likely, full)
        )
        score, label = (op.reshape(t, batch, -1) for t in (score, op("Expand", label, full)))
        pairs = self._emit_survivors(op, box, score, batch)
        image, label = op("Gather", pairs, op.const(0, "int64"), axis=1), op("GatherND", label, pairs)
        # by image, label, falling score
        key = op("Neg", op("Cast", op("Add", op("Mul", image, op.ints(self.classes)), label), to=1))
        _, order = op.many(2, "TopK", key, op.size(key, 0), axis=0)
        pairs = op("Gather", pairs, order)
        detections = (
            op("Gather", image, order),
            op("Gather", label, order),
            op("GatherND", score, pairs),
            op("GatherND", box, pairs),
        )
        difficult, present, kind, true_box = op.many(4, "Split", true, op.ints(cells, cells, cells, 4 * cells), axis=1)
        every = emit_range(op, batch)
        item = op.reshape(op("Expand", op("Unsqueeze", every, op.ints(1)), op("Shape", kind)), -1)
        counts = op("Not", op("Equal", op.reshape(present, -1), op.const(0)))
        truth = (item, op("Cast", op.reshape(kind, -1), to=7), op.reshape(true_box, -1, 4), counts)
        hard = op("Equal", op.reshape(difficult, -1), op.const(1))
        return [emit_evaluation(op, self, detections, truth, hard, batch)]

    def _emit_survivors(self, op: Op, box: Tensor, score: Tensor, batch: Tensor) -> Tensor:
        """(image, box) of those that stay, by image and falling score: (K, 2)."""
        if self.overlap >= 0:
            least = float(np.nextafter(np.float32(self.overlap), np.float32(0))) if self.overlap else 0.0
            most = op.ints(1 if not self.overlap else self.room)
            chance = op("Unsqueeze", score, op.ints(1))
            survivors = emit_nms(op, box, chance, most, least, centred=True)
            return op("Gather", survivors, op.ints(0, 2), axis=1)
        _, order = op.many(2, "TopK", score, op.ints(self.room), axis=1)
        every = emit_range(op, batch)
        image = op("Expand", op("Unsqueeze", every, op.ints(1)), op("Shape", order))
        return op("Concat", *(op.reshape(t, -1, 1) for t in (image, order)), axis=1)
