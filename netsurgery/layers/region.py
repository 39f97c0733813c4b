"""Region: YOLOv2's last layer, as a table of boxes."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors


class Region(LayerType):
    """The numbers of each cell one after the other: for each box tx, ty, tw, th, s(objectness), then the classes, as they are or, with
    `softmax`, as their softmax. s is the sigmoid; the other numbers stay as they are.

    The top has the bottom's shape though its numbers stand otherwise: (H, W, boxes, coords + 1 + classes) in row-major order.

    Shapes: (N, boxes (coords + 1 + classes), H, W) -> the same.
    Source: quhezheng/caffe_yolo_v2, region_layer.cpp (where softmax decides what a variable that nothing sets decides there)
    """

    types = ("Region",)
    note = "of quhezheng/caffe_yolo_v2"

    def read(self, p: Params) -> None:
        q = p.message("region_param")
        self.classes, self.coords, self.boxes = (
            q.get_int(name) for name in ("classes", "coords", "boxes_of_each_grid")
        )
        self.softmax = q.get_bool("softmax")
        q.ignore("anchors", why="the fork reads them and does not use them")
        if self.classes < 1 or self.boxes < 1:
            raise q.refuse("classes", "classes or boxes_of_each_grid is 0", expected="positive numbers")
        if self.coords != 4:
            raise q.refuse(
                "coords", f"coords is {self.coords}", expected="4: the fork takes number 4 for the objectness"
            )

    @property
    def numbers(self) -> int:
        return self.coords + 1 + self.classes

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        self.require(x[1], self.boxes * self.numbers, "channels")
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        v = x.transpose(0, 2, 3, 1).reshape(-1, self.numbers).copy()
        v[:, 4] = 1 / (1 + np.exp(-v[:, 4]))
        if self.softmax:
            e = np.exp(v[:, 5:] - v[:, 5:].max(axis=1, keepdims=True))
            v[:, 5:] = e / e.sum(axis=1, keepdims=True)
        return [v.reshape(x.shape)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        v = op.reshape(op("Transpose", x, perm=(0, 2, 3, 1)), -1, self.numbers)
        place, sure, kind = op.many(3, "Split", v, op.ints(4, 1, self.classes), axis=1)
        kind = op("Softmax", kind, axis=1) if self.softmax else kind
        return [op("Reshape", op("Concat", place, op("Sigmoid", sure), kind, axis=1), op("Shape", x))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        v = op.reshape(op("Transpose", x, axes=(0, 2, 3, 1)), -1, self.numbers)
        place, sure, kind = op.many(3, "Split", v, axis=1, split=(4, 1, self.classes))
        kind = op("Softmax", kind, axis=1) if self.softmax else kind
        y = op("Concat", place, op("Sigmoid", sure), kind, axis=1)
        return [op.reshape(y, *(op.size(x, i) for i in range(4)))]
