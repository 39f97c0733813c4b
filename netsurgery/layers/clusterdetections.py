"""The Python layer caffe.layers.detectnet.clustering.ClusterDetections of DetectNet."""

from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core import Array, Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors
from .shared.cluster_onnx import emit_clusters

MOST = 50
EXPECTED = "width, height, stride, coverage, rect_thresh, eps, min_height, classes: 640,640,16,0.6,2,0.02,22,1"


class ClusterDetections(LayerType):
    """For each image and class, the cells of a coverage that reaches a threshold, row by row, each with the box (x1, y1, x2, y2)
    of its numbers plus its place; x, y, w and h lose their fractions. OpenCV's groupRectangles makes the groups: two boxes are
    alike where no corner differs by more than eps * (min(w, w') + min(h, h')) / 2, chains of alike ones are a group, which becomes
    its mean (x, y, w and h rounded). Groups of up to rect_thresh boxes go, and those inside another, widened by eps, that has more
    than 3 boxes and more than they, or any where they have fewer than 3. Rows (x1, y1, x2, y2, ln n) with y2 - y1 >= min_height,
    through float16, by the first box of the group; the rest zeros.

    Shapes: coverage (N, classes, H, W), boxes (N, 4, H, W) -> (N, 50, 5) for each class.
    Source: NVIDIA/caffe, python/caffe/layers/detectnet/clustering.py; OpenCV, groupRectangles
    """

    types = ("Python:caffe.layers.detectnet.clustering.ClusterDetections",)
    bottoms = (2, 2)
    tops = (1, None)
    columns = -1
    note = "of DetectNet (NVIDIA/caffe)"
    most = MOST

    def read(self, p: Params) -> None:
        q = p.message("python_param")
        q.ignore("module", "layer", "share_in_parallel", why="they chose this class")
        parts = q.get_str("param_str").split(",")
        try:
            width, height, stride = (int(v) for v in parts[:3])
            self.coverage, self.eps = float(parts[3]), float(parts[5])
            self.least, self.height = int(parts[4]), int(parts[6])
            self.classes = int(parts[7]) if len(parts) > 7 else 1
            columns, rows = width // stride, height // stride
            self.cell = width // columns, height // rows
        except (ValueError, IndexError, ZeroDivisionError):
            problem = f"param_str is {q.get_str('param_str')}"
            raise q.refuse("param_str", problem, expected=EXPECTED) from None
        self.rows = min(rows, columns)
        """How many rows of cells count."""
        if len(parts) > 8:
            problem = f"param_str has {len(parts)} entries"
            raise q.refuse(
                "param_str", problem, expected=f"up to 8 (an older layer, which reads 9, groups otherwise): {EXPECTED}"
            )
        if self.classes != self.top_count or self.least < 1:
            problem = f"{self.top_count} tops for {self.classes} classes, rect_thresh {self.least}"
            raise q.refuse("param_str", problem, expected="one top for each class, rect_thresh 1 or more")

    def shapes(self, bottoms: Shapes) -> Shapes:
        coverage, boxes = bottoms
        self.ranks(bottoms, 4, ("coverage", "boxes"))
        self.require(coverage[1], self.classes, "channels of coverage")
        self.require(boxes[1], 4, "channels of boxes")
        for axis, what in ((0, "batch"), (2, "height"), (3, "width")):
            self.require(boxes[axis], coverage[axis], f"{what} of boxes")
        return [(coverage[0], self.most, 5)] * self.classes

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        coverage, boxes = bottoms
        tops = [np.zeros((len(boxes), self.most, 5), boxes.dtype) for _ in range(self.classes)]
        for kind, top in enumerate(tops):
            for item, box in enumerate(boxes):
                at = coverage[item, kind, : self.rows] >= np.float32(self.coverage)
                y, x = np.nonzero(at)
                place = np.stack([x * self.cell[0], y * self.cell[1]] * 2, axis=1)
                corners = box[:, y, x].T.astype(np.float32) + place
                sides = corners[:, 2:] - corners[:, :2]
                rows = self.grouped(np.trunc(np.concatenate([corners[:, :2], sides], axis=1)).astype(np.int64))
                top[item, : len(rows)] = np.array(rows, np.float16).reshape(-1, 5)
        return tops

    def grouped(self, boxes: NDArray[np.int64]) -> list[list[float]]:
        """The rows of boxes (K, 4), each as x, y, w, h."""
        groups: list[list[int]] = []
        ends = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        free = np.ones(len(boxes), bool)
        for first in range(len(boxes)):
            if not free[first]:
                continue
            group, free[first] = [first], False
            for i in group:
                near = self.eps * np.minimum(boxes[:, 2:], boxes[i, 2:]).sum(axis=1) * 0.5
                alike = free & (np.abs(ends - ends[i]) <= near[:, None]).all(axis=1)
                group += np.flatnonzero(alike).tolist()
                free &= ~alike
            groups.append(group)
        groups = [g for g in groups if len(g) > self.least]
        mean = [np.rint(boxes[g].sum(axis=0).astype(np.float32) * np.float32(1 / len(g))).astype(int) for g in groups]
        return [
            [m[0], m[1], m[0] + m[2], m[1] + m[3], np.log(len(g))]
            for m, g in zip(mean, groups, strict=True)
            if m[3] >= self.height
            and not any(o is not m and self._hides(o, len(h), m, len(g)) for o, h in zip(mean, groups, strict=True))
        ]

    def _hides(self, outer: NDArray[Any], many: int, inner: NDArray[Any], few: int) -> bool:
        wide = np.rint(outer[2:] * self.eps).astype(int)
        low, high = inner[:2] >= outer[:2] - wide, (inner[:2] + inner[2:]) <= outer[:2] + outer[2:] + wide
        return bool(low.all() and high.all() and (many > max(3, few) or few < 3))

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        coverage, boxes = bottoms
        height, width = coverage.shape[2:]
        cells = height * width if isinstance(height, int) and isinstance(width, int) else 4096
        maps = op.many(self.classes, "Split", coverage, op.ints(*[1] * self.classes), axis=1)
        return [emit_clusters(op, self, x, boxes, max(1, ceil(log2(cells)))) for x in maps]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index == 0:
            return rng.uniform(0, 1, shapes[0])
        boxes: Array = rng.uniform(0, 60, shapes[1]) * np.array([-1, -1, 1, 1])[:, None, None]
        return boxes
