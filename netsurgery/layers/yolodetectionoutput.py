"""YoloDetectionOutput: the boxes that YOLOv2 finds."""

import numpy as np

from .caffe2.boxes import corners, grid
from .caffe2.boxes import yolo_rows as yolo_rows_caffe2
from .caffe2.operators import cast
from .core import Arrays, LayerType, Op, Params, Shapes, Tensors, by_data
from .shared.boxes import yolo_rows
from .shared.boxes_onnx import emit_corners, emit_grid, emit_yolo_rows


class YoloDetectionOutput(LayerType):
    """For each cell and each of num_box anchors (w, h), in cells, with s the sigmoid:

        x = (col + s(tx)) / W,  y = (row + s(ty)) / H,  exp(tw) * w / W,  exp(th) * h / H

    The likeliest class c (the first of equals) with score = s(objectness) * softmax(classes)[c] is a find where the score
    reaches confidence_threshold. All finds, of all images and classes, go through one greedy suppression: dropped are those
    whose intersection over union with a better one reaches nms_threshold. Rows (0, c + 1, score, x1, y1, x2, y2) by falling
    score; (image, -1, ..) where there is none at all.

    Shapes: one or two (N, num_box * (5 + num_classes), S, S) -> (1, 1, K, 7).
    Source: eric612/MobileNet-YOLO, yolo_detection_output_layer.cpp
    """

    types = ("YoloDetectionOutput",)
    bottoms = (1, 2)
    choices = (0,)
    columns = -1
    note = "of eric612/MobileNet-YOLO"

    def read(self, p: Params) -> None:
        q = p.message("yolo_detection_output_param")
        self.classes, self.boxes = q.get_int("num_classes"), q.get_int("num_box")
        self.threshold, self.overlap = q.get_float("confidence_threshold"), q.get_float("nms_threshold")
        biases = np.array(q.get_floats("biases"), np.float32)
        q.ignore("side", why="the bottom has it")
        q.ignore("coords", "label_map_file", why="the fork reads them and does not use them")
        if not q.has("num_classes") or self.classes < 1 or self.boxes < 1:
            raise q.refuse("num_classes", "num_classes or num_box is not set", expected="positive numbers")
        if len(biases) < 2 * self.boxes:
            raise q.refuse("biases", f"{len(biases)} biases", expected=f"{2 * self.boxes}: w and h of each box")
        self.anchors = biases[: 2 * self.boxes].reshape(-1, 2)

    def shapes(self, bottoms: Shapes) -> Shapes:
        for bottom in bottoms:
            self.rank(bottom, 4)
            self.require(bottom[1], self.boxes * (5 + self.classes), "channels")
            self.require(bottom[2], bottom[3], "height of a map that must be square")
        return [(1, 1, by_data(self.name, "detections"), 7)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        boxes, scores, labels = [], [], []
        for x in bottoms:
            n, _, h, w = x.shape
            v = x.reshape(n, self.boxes, 5 + self.classes, h, w).transpose(0, 3, 4, 1, 2)
            grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2)[:, :, None].astype(x.dtype)
            size = np.array([w, h], x.dtype)
            centre = (grid + 1 / (1 + np.exp(-v[..., :2]))) / size
            sides = np.exp(v[..., 2:4]) * self.anchors / size
            boxes.append(np.concatenate([centre, sides], axis=-1).reshape(-1, 4))
            e = np.exp(v[..., 5:] - v[..., 5:].max(axis=-1, keepdims=True))
            share = e / e.sum(axis=-1, keepdims=True)
            scores.append((share.max(axis=-1) / (1 + np.exp(-v[..., 4]))).reshape(-1, 1))
            labels.append(share.argmax(axis=-1).reshape(-1, 1) + 1)
        box, score, label = (np.concatenate(x) for x in (boxes, scores, labels))
        return [yolo_rows(box, score, score >= self.threshold, label, self.overlap, len(bottoms[0]))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        parts = []
        for x in bottoms:
            w, h = op.size(x, 3), op.size(x, 2)
            v = op("Transpose", op.reshape(x, 0, self.boxes, 5 + self.classes, h, w), perm=(0, 3, 4, 1, 2))
            shift, growth, sure, kind = op.many(4, "Split", v, op.ints(2, 2, 1, self.classes), axis=-1)
            size = op("Cast", op.ints(w, h), to=1)
            centre = op("Div", op("Add", emit_grid(op, w, h), op("Sigmoid", shift)), size)
            sides = op("Div", op("Mul", op("Exp", growth), self.anchors), size)
            share, label = op.many(2, "TopK", op("Softmax", kind, axis=-1), op.ints(1), axis=-1)  # the first of equals
            score = op("Mul", op("Sigmoid", sure), share)
            box = emit_corners(op, centre, op("Mul", sides, op.const(0.5)))
            parts.append([op.reshape(box, -1, 4), op.reshape(score, -1, 1), op.reshape(label, -1, 1)])
        box, score, label = (op("Concat", *x, axis=0) if len(x) > 1 else x[0] for x in zip(*parts, strict=True))
        label = op("Cast", op("Add", label, op.ints(1)), to=1)
        mask = op("GreaterOrEqual", score, op.const(self.threshold))
        return [emit_yolo_rows(op, box, score, mask, label, self.overlap, op.size(bottoms[0], 0))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        parts = []
        for x in bottoms:
            w, h = op.size(x, 3), op.size(x, 2)
            v = op("Transpose", op.reshape(x, 0, self.boxes, 5 + self.classes, h, w), axes=(0, 3, 4, 1, 2))
            shift, growth, sure, kind = op.many(4, "Split", v, axis=4, split=(2, 2, 1, self.classes))
            size = cast(op, op.ints(w, h), "float")
            centre = op("Div", op("Add", grid(op, w, h), op("Sigmoid", shift)), size)
            sides = op("Div", op("Mul", op("Exp", growth), self.anchors), size)
            share, label = op.many(2, "TopK", op("Softmax", kind, axis=4), k=1, axis=4)  # the first of equals
            score = op("Mul", op("Sigmoid", sure), share)
            box = corners(op, centre, op("Mul", sides, op.const(0.5)), 4)
            parts.append([op.reshape(box, -1, 4), op.reshape(score, -1, 1), op.reshape(label, -1, 1)])
        box, score, label = (op("Concat", *x, axis=0) if len(x) > 1 else x[0] for x in zip(*parts, strict=True))
        label = cast(op, op("Add", label, op.ints(1)), "float")
        above = float(np.nextafter(np.float32(self.threshold), np.float32(-1)))
        return [yolo_rows_caffe2(op, box, score, label, 1, above, self.overlap, op.size(bottoms[0], 0))]
