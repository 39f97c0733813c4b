"""Yolov3DetectionOutput: the boxes that YOLOv3 finds."""

import numpy as np

from .caffe2.boxes import corners, grid
from .caffe2.boxes import yolo_rows as yolo_rows_caffe2
from .caffe2.operators import cast
from .core import Arrays, LayerType, Op, Params, Shapes, Tensors, by_data
from .shared.boxes import yolo_rows
from .shared.boxes_onnx import emit_best_class, emit_corners, emit_grid, emit_yolo_rows


class Yolov3DetectionOutput(LayerType):
    """For each cell of each bottom (with its own stride anchors_scale) and each of num_box anchors (w, h) chosen by `mask`, with
    s the sigmoid:

        x = (col + s(tx)) / W,  y = (row + s(ty)) / H,  exp(tw) * w / (W * stride),  exp(th) * h / (H * stride)

    Every class whose s(class) * s(objectness) exceeds confidence_threshold is a find. All finds, of all images and classes,
    go through one greedy suppression: dropped are those whose intersection over union with a better one reaches
    nms_threshold. Rows (0, class + 1, score, x1, y1, x2, y2) by falling score; (image, -1, ..) where there is none at all.

    Shapes: (N, num_box * (5 + num_classes), H, W) each -> (1, 1, K, 7).
    Source: eric612/MobileNet-YOLO, yolov3_detection_output_layer.cpp
    """

    types = ("Yolov3DetectionOutput",)
    bottoms = (1, None)
    choices = (0,)
    columns = -1
    note = "of eric612/MobileNet-YOLO; gaussian_box is refused, as the fork itself reads unset memory there"

    def read(self, p: Params) -> None:
        q = p.message("yolov3_detection_output_param")
        self.classes, self.boxes = q.get_int("num_classes"), q.get_int("num_box")
        self.threshold, self.overlap = q.get_float("confidence_threshold"), q.get_float("nms_threshold")
        self.groups, self.strides, mask = q.get_int("mask_group_num"), q.get_ints("anchors_scale"), q.get_ints("mask")
        biases = np.array(q.get_floats("biases"), np.float32)
        if not q.has("num_classes") or self.classes < 1 or self.boxes < 1:
            raise q.refuse("num_classes", "num_classes or num_box is not set", expected="positive numbers")
        if q.get_bool("gaussian_box"):
            raise q.refuse(
                "gaussian_box", "gaussian_box is set", expected="plain boxes", fix="no net of it is published"
            )
        if self.groups < 1 or len(self.strides) < self.groups:
            raise q.refuse(
                "anchors_scale", f"{len(self.strides)} of anchors_scale", expected=f"{self.groups}, by bottom"
            )
        step = len(mask) // self.groups
        last = (self.groups - 1) * step + self.boxes
        if last > len(mask) or max(mask[:last]) >= len(biases) // 2:
            raise q.refuse(
                "mask", f"mask is {list(mask)}, with {len(biases)} biases", expected="pairs of biases by number"
            )
        pairs = biases[: len(biases) // 2 * 2].reshape(-1, 2)
        self.anchors = [pairs[list(mask[t * step : t * step + self.boxes])] for t in range(self.groups)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.require(len(bottoms), self.groups, "number of bottoms", fix="mask_group_num says how many there are")
        for bottom in bottoms:
            self.rank(bottom, 4)
            self.require(bottom[1], self.boxes * (5 + self.classes), "channels")
        return [(1, 1, by_data(self.name, "detections"), 7)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        boxes, scores = [], []
        for x, stride, anchors in zip(bottoms, self.strides, self.anchors, strict=False):
            n, _, h, w = x.shape
            v = x.reshape(n, self.boxes, 5 + self.classes, h, w).transpose(0, 3, 4, 1, 2)
            size = np.array([w, h], x.dtype)
            grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2)[:, :, None].astype(x.dtype)
            centre = (grid + 1 / (1 + np.exp(-v[..., :2]))) / size
            sides = np.exp(v[..., 2:4]) * anchors / (size * stride)
            boxes.append(np.concatenate([centre, sides], axis=-1).reshape(-1, 4))
            scores.append((1 / (1 + np.exp(-v[..., 5:])) * (1 / (1 + np.exp(-v[..., 4:5])))).reshape(-1, self.classes))
        score = np.concatenate(scores)
        mask, labels = score > self.threshold, np.arange(1, self.classes + 1)
        return [yolo_rows(np.concatenate(boxes), score, mask, labels, self.overlap, len(bottoms[-1]))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        boxes, scores = [], []
        for x, stride, anchors in zip(bottoms, self.strides, self.anchors, strict=False):
            w, h = op.size(x, 3), op.size(x, 2)
            v = op("Transpose", op.reshape(x, 0, self.boxes, 5 + self.classes, h, w), perm=(0, 3, 4, 1, 2))
            shift, growth, sure, kind = op.many(4, "Split", v, op.ints(2, 2, 1, self.classes), axis=-1)
            size = op("Cast", op.ints(w, h), to=1)
            centre = op("Div", op("Add", emit_grid(op, w, h), op("Sigmoid", shift)), size)
            sides = op("Div", op("Mul", op("Exp", growth), anchors), op("Mul", size, op.const(stride)))
            boxes.append(op.reshape(emit_corners(op, centre, op("Mul", sides, op.const(0.5))), -1, 4))
            scores.append(op.reshape(op("Mul", op("Sigmoid", kind), op("Sigmoid", sure)), -1, self.classes))
        box, score = (op("Concat", *x, axis=0) if len(x) > 1 else x[0] for x in (boxes, scores))
        if op.plain or op.never_empty or self.overlap > 1:
            mask = op("Greater", score, op.const(self.threshold))
        else:  # by measurement: NonMaxSuppression takes long where there are many candidates
            box, score, mask = emit_best_class(op, box, score, self.threshold)
        return [emit_yolo_rows(op, box, score, mask, None, self.overlap, op.size(bottoms[-1], 0))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        boxes, scores = [], []
        for x, stride, anchors in zip(bottoms, self.strides, self.anchors, strict=False):
            w, h = op.size(x, 3), op.size(x, 2)
            v = op("Transpose", op.reshape(x, 0, self.boxes, 5 + self.classes, h, w), axes=(0, 3, 4, 1, 2))
            shift, growth, sure, kind = op.many(4, "Split", v, axis=4, split=(2, 2, 1, self.classes))
            size = cast(op, op.ints(w, h), "float")
            centre = op("Div", op("Add", grid(op, w, h), op("Sigmoid", shift)), size)
            sides = op("Div", op("Mul", op("Exp", growth), anchors), op("Mul", size, op.const(stride)))
            boxes.append(op.reshape(corners(op, centre, op("Mul", sides, op.const(0.5)), 4), -1, 4))
            scores.append(op.reshape(op("Mul", op("Sigmoid", kind), op("Sigmoid", sure)), -1, self.classes))
        box, score = (op("Concat", *x, axis=0) if len(x) > 1 else x[0] for x in (boxes, scores))
        batch = op.size(bottoms[-1], 0)
        return [yolo_rows_caffe2(op, box, score, None, self.classes, self.threshold, self.overlap, batch)]
