"""DetectionBoxes: the boxes and scores among which DetectionOutput chooses."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import ClassVar, TypeVar

import numpy as np

from ..caffe2.boxes import decode as decode_caffe2
from ..caffe2.operators import cast, part
from ..core import Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Size, Sizes, Tensors, product
from .boxes import decode
from .boxes_onnx import LOWEST, emit_decode, emit_halves

T = TypeVar("T")


class DetectionBoxes(LayerType):
    """Boxes decoded from predictions relative to priors, with their scores. RefineDet's arm_loc moves the priors first; where
    its arm_conf says "object" less than objectness_score, the scores become 1 for class 0 and 0 for the others.

    No file holds this type: passes/raw_detections.py puts it in place of a DetectionOutput.

    Shapes, P priors, C classes: loc (N, P * 4), without share_location (N, P * C * 4), conf (N, P * C), prior (1, 2, P * 4),
    RefineDet's arm_conf (N, P * 2) and arm_loc (N, P * 4) -> boxes (N, P, 4) or (N, P, C, 4), scores (N, P, C), prior.
    Source: detection_output_layer.cpp and bbox_util.cpp (SSD; RefineDet for more than three bottoms but an image)
    """

    types: ClassVar[tuple[str, ...]] = ("DetectionBoxes",)
    bottoms = (3, 5)
    tops = (3, 3)
    numbers = 4
    """How many numbers of loc belong to a prior (and class): the four of its box come first."""

    def read(self, p: Params) -> None:
        self.read_fields(p.message("detection_output_param"))

    def read_fields(self, q: Params) -> None:
        """Reads detection_output_param. Raises: UnsupportedError for a value that is refused."""
        nms = q.message("nms_param")
        self.classes, self.background = q.get_positive("num_classes"), q.get_int("background_label_id")
        self.shared, self.code = q.get_bool("share_location"), q.get_str("code_type")
        self.scaled = not q.get_bool("variance_encoded_in_target")
        self.threshold = q.get_float("confidence_threshold") if q.has("confidence_threshold") else LOWEST
        self.keep_top_k, self.objectness = q.get_int("keep_top_k"), q.get_float("objectness_score")
        self.overlap, self.eta = nms.get_float("nms_threshold"), nms.get_float("eta")
        self.top_k = nms.get_int("top_k") if nms.has("top_k") else -1
        self.draws = q.get_bool("visualize")
        q.ignore("save_output_param", "visualize_threshold", "save_file", why="what is written beside the blobs")
        if not self.overlap >= 0 or not 0 < self.eta <= 1:
            problem = f"nms_threshold is {self.overlap:g}, eta {self.eta:g}"
            raise nms.refuse("nms_threshold", problem, expected="nms_threshold 0 or more, eta above 0 and at most 1")

    def used(self, bottoms: Sequence[T]) -> Sequence[T]:
        """The bottoms without the image that SSD draws on: the last of four where `visualize` is set, or where it is a map (RefineDet's
        arm_conf is a vector for each item)."""
        if len(bottoms) != 4:
            return bottoms
        shape = bottoms[3] if isinstance(bottoms[3], tuple) else getattr(bottoms[3], "shape", ())
        is_map = len(shape) == 4 and any(n != 1 for n in shape[2:])
        return bottoms[:3] if self.draws or is_map else bottoms

    @property
    def labels(self) -> list[int]:
        """The classes that can be found."""
        return [c for c in range(self.classes) if c != self.background]

    def priors(self, bottoms: Shapes) -> Size:
        """P, once every bottom was held against it."""
        per = {
            "loc": self.numbers * (1 if self.shared else self.classes),
            "conf": self.classes,
            "prior": 8,
            "arm_conf": 2,
            "arm_loc": 4,
        }
        for shape, name in zip(bottoms, per, strict=False):
            if len(shape) < 2 + (name == "prior"):
                self.rank(shape, 2 + (name == "prior"), name)
        p = bottoms[2][2] // 4
        for shape, (name, size) in zip(self.used(bottoms), per.items(), strict=False):
            if name == "prior":
                self.require(product(shape), product((2, bottoms[2][2])), "count of prior")
            else:
                self.require(shape[0], bottoms[0][0], f"batch of {name}")
                self.require(shape[1], p * size, f"channels of {name}")
                self.require(product(shape[2:]), 1, f"height * width of {name}", fix="put a Flatten layer before it")
        return p

    def shapes(self, bottoms: Shapes) -> Shapes:
        n, p = bottoms[0][0], self.priors(bottoms)
        return [(n, p, *([] if self.shared else [self.classes]), 4), (n, p, self.classes), bottoms[2]]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        loc, conf, prior, *refine = self.used(bottoms)
        n, between = len(loc), [] if self.shared else [1]
        boxes, variance = prior.reshape(2, -1, *between, 4)
        scores = conf.reshape(n, -1, self.classes)
        if refine:
            weak = refine[0].reshape(n, -1, 2)[:, :, 1] < np.float32(self.objectness)
            scores = np.where(weak[:, :, None], np.eye(1, self.classes, dtype=scores.dtype), scores)
        scale = variance if self.scaled else None
        if len(refine) > 1:
            boxes = decode(boxes, scale, refine[1].reshape(n, -1, *between, 4), self.code)
        per_class = [] if self.shared else [self.classes]
        moves = loc.reshape(n, -1, *per_class, self.numbers)[..., :4]
        return [decode(boxes, scale, moves, self.code), scores, prior]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        """Scores between 0 and 1; priors inside the image, their variances as in SSD."""
        if index != 2:
            return rng.uniform(0, 1, shapes[index]) if index in (1, 3) else None
        boxes = np.sort(rng.uniform(0, 1, (prod(shapes[2]) // 8, 2, 2)), axis=1)
        return np.stack([boxes.reshape(-1, 4), np.tile([0.1, 0.1, 0.2, 0.2], (len(boxes), 1))]).reshape(shapes[2])

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        loc, conf, prior, *refine = self.used(bottoms)
        n, p, between = loc.shape[0], prior.shape[2] // 4, [] if self.shared else [1]
        boxes, variance = (op.reshape(x, -1, *between, 4) for x in emit_halves(op, op.reshape(prior, 2, -1), 0, 1))
        scores = op.reshape(conf, 0, -1, self.classes, shape=(n, p, self.classes))
        if refine:
            weak = op(
                "Less", op("Gather", op.reshape(refine[0], 0, -1, 2), op.ints(1), axis=2), op.const(self.objectness)
            )
            scores = op("Where", weak, np.eye(1, self.classes), scores, shape=scores.shape)
        scale = variance if self.scaled else None
        if len(refine) > 1:
            boxes = emit_decode(op, boxes, scale, op.reshape(refine[1], 0, -1, *between, 4), self.code)
        per_class = [] if self.shared else [self.classes]
        moves = op.reshape(loc, 0, -1, *per_class, self.numbers)
        if self.numbers != 4:
            moves = op("Slice", moves, op.ints(0), op.ints(4), op.ints(-1))
        return [emit_decode(op, boxes, scale, moves, self.code), scores, prior]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        loc, conf, prior, *refine = self.used(bottoms)
        between, last = ([], 2) if self.shared else ([1], 3)
        two = op.reshape(prior, 2, -1)
        boxes, variance = (op.reshape(part(op, two, 2, 0, i, i + 1), 1, -1, *between, 4) for i in (0, 1))
        scores = op.reshape(conf, 0, -1, self.classes)
        if refine:  # 1 for class 0 and 0 for the others where there is hardly an object
            object_score = part(op, op.reshape(refine[0], 0, -1, 2), 3, 2, 1, 2)
            weak = cast(op, op("LT", object_score, op.const(self.objectness)), "float")
            strong = op("Mul", scores, op("Sub", op.const(1.0), weak))
            scores = op("Add", strong, op("Mul", weak, op.const(np.eye(1, self.classes))))
        scale = variance if self.scaled else None
        if len(refine) > 1:
            boxes = decode_caffe2(op, boxes, scale, op.reshape(refine[1], 0, -1, *between, 4), self.code, last)
        per_class = [] if self.shared else [self.classes]
        moved = decode_caffe2(op, boxes, scale, op.reshape(loc, 0, -1, *per_class, 4), self.code, last)
        return [moved, scores, prior]
