"""The Python layer ron_layer.det_layer.DetLayer of RON."""

import numpy as np

from .caffe2.boxes import corners, grid, halves
from .caffe2.operators import part
from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, product
from .shared.boxes_onnx import emit_corners, emit_grid, emit_halves
from .shared.proposals import anchors
from .shared.python_layers import settings, whole_numbers

BASE, RATIOS = 32, (0.333, 0.5, 1, 2, 3)


class RonDetections(LayerType):
    """Every box of a map, decoded as those of py-faster-rcnn and neither cut nor chosen among, with its scores: first that it is an
    object, then those of the classes but the background.

    Shapes: one image, A = 10; objects (1, 2 A, H, W), classes (1, C, A H, W), deltas (1, 4 A, H, W) -> (1, H W A, 4), (1, H W A, C).
    Source: taokong/RON, lib/ron_layer/det_layer.py
    """

    types = ("Python:ron_layer.det_layer.DetLayer",)
    bottoms = (3, 3)
    tops = (2, 2)
    columns = -1
    note = "of RON; its configuration's values: boxes start from 32 x 32"

    def read(self, p: Params) -> None:
        name = "stride_scale_numcls"
        value = settings(p, self.title, name).get(name)
        numbers = whole_numbers(value)
        if len(numbers) != 3 or min(numbers) < 1:
            problem = f"{name} in param_str is {value}"
            raise p.message("python_param").refuse("param_str", problem, expected="three whole numbers: 8,1,21")
        self.stride, scale, self.classes = numbers
        self.anchors = anchors(BASE, RATIOS, (scale, scale + 1))

    def shapes(self, bottoms: Shapes) -> Shapes:
        objects, classes, deltas = bottoms
        a = len(self.anchors)
        self.ranks(bottoms, 4, ("objects", "classes", "deltas"))
        axes = ("batch", "channels", "height", "width")
        self.require_alike(objects, (1, 2 * a, *deltas[2:]), "objects", axes)
        self.require_alike(classes, (1, self.classes, deltas[2] * a, deltas[3]), "classes", axes)
        self.require_alike(deltas, (1, 4 * a, *deltas[2:]), "deltas", axes)
        cells = product(deltas[2:]) * a
        return [(1, cells, 4), (1, cells, self.classes)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        objects, classes, deltas = bottoms
        a, (h, w) = len(self.anchors), deltas.shape[2:]
        d = deltas[0].reshape(a, 4, h, w).transpose(2, 3, 0, 1)
        side = self.anchors[:, 2:] - self.anchors[:, :2] + 1
        cell = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=2)[:, :, None].astype(d.dtype)
        centre = d[..., :2] * side + (cell * self.stride + self.anchors[:, :2] + side / 2)
        half = np.exp(d[..., 2:]) * side / 2
        boxes = np.concatenate([centre - half, centre + half], axis=-1)
        sure = objects[0, a:].transpose(1, 2, 0)[..., None]
        kind = classes[0, 1:].reshape(self.classes - 1, a, h, w).transpose(2, 3, 1, 0)
        return [boxes.reshape(1, -1, 4), np.concatenate([sure, kind], axis=-1).reshape(1, -1, self.classes)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        objects, classes, deltas = bottoms
        a, h, w = len(self.anchors), op.size(deltas, 2), op.size(deltas, 3)
        d = op("Transpose", op.reshape(deltas, 1, a, 4, h, w), perm=(0, 3, 4, 1, 2))
        shift, growth = emit_halves(op, d)
        side = self.anchors[:, 2:] - self.anchors[:, :2] + 1
        cell = op("Mul", emit_grid(op, w, h), op.const(self.stride))
        centre = op("Add", op("Mul", shift, side), op("Add", cell, self.anchors[:, :2] + side / 2))
        boxes = emit_corners(op, centre, op("Mul", op("Exp", growth), side / 2))
        sure = op("Slice", objects, op.ints(a), op.ints(2 * a), op.ints(1))
        kind = op("Slice", classes, op.ints(1), op.ints(self.classes), op.ints(1))
        both = op("Concat", op.reshape(sure, 1, 1, a, h, w), op.reshape(kind, 1, self.classes - 1, a, h, w), axis=1)
        scores = op("Transpose", both, perm=(0, 3, 4, 2, 1))
        return [op.reshape(boxes, 1, -1, 4), op.reshape(scores, 1, -1, self.classes)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        objects, classes, deltas = bottoms
        a, h, w = len(self.anchors), op.size(deltas, 2), op.size(deltas, 3)
        d = op("Transpose", op.reshape(deltas, 1, a, 4, h, w), axes=(0, 3, 4, 1, 2))
        shift, growth = halves(op, d, 4)
        side = self.anchors[:, 2:] - self.anchors[:, :2] + 1
        cell = op("Mul", grid(op, w, h), op.const(self.stride))
        middle = op("Add", cell, op.const(self.anchors[:, :2] + side / 2))
        centre = op("Add", op("Mul", shift, op.const(side)), middle)
        boxes = corners(op, centre, op("Mul", op("Exp", growth), op.const(side / 2)), 4)
        sure, kind = part(op, objects, 4, 1, a, 2 * a), part(op, classes, 4, 1, 1, self.classes)
        both = op("Concat", op.reshape(sure, 1, 1, a, h, w), op.reshape(kind, 1, self.classes - 1, a, h, w), axis=1)
        scores = op("Transpose", both, axes=(0, 3, 4, 2, 1))
        return [op.reshape(boxes, 1, -1, 4), op.reshape(scores, 1, -1, self.classes)]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.normal(0, 0.3, shapes[2]) if index == 2 else rng.uniform(0, 1, shapes[index])
