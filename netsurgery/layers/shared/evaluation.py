"""What EvalDetection's forms have in common: detections held against true boxes.

A box is (x, y, w, h) about its centre. `matches` is for `forward`; what `emit` needs is in evaluation_onnx.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core import Array, LayerType, Params, Shapes, Size


@dataclass
class Truth:
    """The true boxes of one image: (G, 4), (G) and (G)."""

    boxes: Array
    labels: NDArray[np.int64]
    difficult: NDArray[np.bool_]


class Evaluation(LayerType):
    """Per image: how many true boxes each class has, then rows (label, score, true positive, false positive) by label and falling score.

    The greatest overlap of a detection with a true box of its class decides: where it reaches `threshold`, the first detection of
    that box is a true positive, later ones are false ones; without a true box of its class it is a false one.
    """

    bottoms = (2, 2)
    choices = (0,)
    has_labels = True
    training_only = True
    misses_count = True
    """Whether one below the threshold is a false positive; else it is neither."""

    def read_common(self, p: Params) -> Params:
        q = p.message("eval_detection_param")
        self.side, self.classes, self.objects = (q.get_int(name) for name in ("side", "num_class", "num_object"))
        self.threshold, self.overlap, self.judge = q.get_float("threshold"), q.get_float("nms"), q.get_str("score_type")
        q.ignore("save_output_param", why="what is written beside the blobs")
        if min(self.side, self.classes, self.objects) < 1:
            raise q.refuse("side", "side, num_class or num_object is 0", expected="positive numbers")
        if self.judge not in ("OBJ", "PROB", "MULTIPLY"):
            raise q.refuse("score_type", f"score_type is {self.judge}", expected="OBJ, PROB or MULTIPLY")
        return q

    @property
    def room(self) -> int:
        """How many rows there is room for."""
        return self.side * self.side * self.objects

    def top(self, batch: Size) -> Shapes:
        return [(batch, self.classes + self.room * 4)]

    def rows(self, labels: NDArray[Any], scores: Array, boxes: Array, truth: Truth) -> Array:
        """One image's part of the top, of detections in the order of labels and falling scores."""
        counts = np.bincount(truth.labels[~truth.difficult & (truth.labels >= 0)], minlength=self.classes)[
            : self.classes
        ]
        taken: set[int] = set()
        rows = np.zeros((self.room, 4), scores.dtype)
        for i, (label, score, box) in enumerate(zip(labels[: self.room], scores, boxes, strict=False)):
            rows[i, :2] = label, score
            at = np.flatnonzero(truth.labels == label)
            shares = overlaps(box, truth.boxes[at])
            best = int(shares.argmax()) if len(at) else -1
            if best < 0 or not shares[best] >= scores.dtype.type(self.threshold):
                rows[i, 3] = best < 0 or self.misses_count
            elif not truth.difficult[at[best]]:
                again = at[best] in taken
                rows[i, 2:] = not again, again
                taken.add(at[best])
        return np.concatenate([counts.astype(scores.dtype), rows.ravel()])


def overlaps(box: Array, others: Array) -> Array:
    """The intersection over union of a box with (G, 4)."""
    low = np.maximum(box[:2] - box[2:] / 2, others[:, :2] - others[:, 2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, others[:, :2] + others[:, 2:] / 2)
    shared = np.where((high < low).any(axis=1), 0, (high - low).prod(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Array = shared / (box[2] * box[3] + others[:, 2] * others[:, 3] - shared)
    return share
