"""The Python layer rpn.proposal_layer.ProposalLayer of FPN: regions of several maps."""

from collections.abc import Sequence
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .core import Array, Arrays, LayerType, Op, Params, Rng, Sample, Shapes, Sizes, Tensors, by_data
from .shared.boxes import suppress
from .shared.faster_rcnn import FasterRcnnProposals
from .shared.proposals import anchors
from .shared.python_layers import settings, whole_numbers

STRIDES = (4, 8, 16, 32, 64)
RATIOS, SCALES = (0.5, 1, 2), (16, 32)
T = TypeVar("T")
A = len(RATIOS) * len(SCALES)


class PyramidProposals(FasterRcnnProposals):
    """The boxes of all maps are one list, in the order in which param_str names their strides. Of a map of stride s count
    floor(image / s) cells, its anchors start from s.

    Up to 1000 are kept; where fewer are, the fork fills up with rows that it draws from these at random, this layer does not.

    Shapes: one image; im_info (1, 3), deltas (1, 24, H, W) of strides 4, 8, 16, 32, 64, scores (1, 12, H, W) of the same -> (R, 5).
    Source: unsky/FPN, lib/rpn/proposal_layer.py
    """

    types = ()
    bottoms = (11, 11)
    info_at = 0
    tops = (1, 1)
    most = 1000

    def read(self, p: Params) -> None:
        value = settings(p, self.title, "feat_stride").get("feat_stride")
        self.strides = whole_numbers(value)
        if not self.strides or len(set(self.strides)) != len(self.strides) or not set(self.strides) <= set(STRIDES):
            problem = f"feat_stride in param_str is {value}"
            raise p.message("python_param").refuse("param_str", problem, expected="some of 4,8,16,32,64")
        self.bases = [anchors(s, RATIOS, SCALES) for s in self.strides]

    def maps(self, bottoms: Sequence[T]) -> list[tuple[T, T]]:
        """Deltas and scores of each stride, in the order of param_str."""
        return [(bottoms[1 + STRIDES.index(s)], bottoms[6 + STRIDES.index(s)]) for s in self.strides]

    def shapes(self, bottoms: Shapes) -> Shapes:
        for i, (deltas, scores) in enumerate(zip(bottoms[1:6], bottoms[6:], strict=True)):
            self.rank(deltas, 4, f"deltas {i}")
            self.rank(scores, 4, f"scores {i}")
            self.require(deltas[0], 1, "batch", fix="one image at a time: the layer takes no more")
            for axis, size, what in ((0, 1, "batch"), (2, deltas[2], "height"), (3, deltas[3], "width")):
                self.require(scores[axis], size, f"{what} of scores {i}")
            self.require(deltas[1], 4 * A, f"channels of deltas {i}")
            self.require(scores[1], 2 * A, f"channels of scores {i}")
        return [(by_data(self.name, "regions"), 5)]

    def candidates(self, bottoms: Arrays) -> tuple[Array, Array, NDArray[np.bool_]]:
        numbers = bottoms[0].ravel()
        boxes, score, large = [], [], []
        for base, s, (deltas, scores) in zip(self.bases, self.strides, self.maps(bottoms), strict=True):
            h, w = (int(n / s) for n in numbers[:2])
            x = self.decoded(scores[:, :, :h, :w], deltas[:, :, :h, :w], numbers, base, s)
            boxes.append(x[0].reshape(1, -1, 4))
            score.append(x[1].reshape(1, -1))
            large.append(x[2].reshape(1, -1))
        return np.concatenate(boxes, axis=1), np.concatenate(score, axis=1), np.concatenate(large, axis=1)

    def survivors(self, boxes: Array) -> Sequence[int]:
        return suppress(boxes, self.overlap, plus=1, most=self.most)

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index:
            score = index > 5
            return rng.uniform(0, 1, shapes[index]) if score else rng.normal(0, 0.3, shapes[index])
        info = np.ones(prod(shapes[0]))
        info[:2] = shapes[1][2] * STRIDES[0], shapes[1][3] * STRIDES[0]
        return info.reshape(shapes[0])

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        numbers = op.reshape(bottoms[0], -1)
        boxes, score, large = [], [], []
        for base, s, maps in zip(self.bases, self.strides, self.maps(bottoms), strict=True):
            cells = op("Cast", op("Floor", op("Div", op("Gather", numbers, op.ints(0, 1)), op.const(s))), to=7)
            deltas, scores = (
                op(
                    "Slice",
                    x,
                    op.ints(0, 0),
                    cells,
                    op.ints(2, 3),
                    shape=(1, x.shape[1], *(by_data(self.name, s, i) for i in (2, 3))),
                )
                for x in maps
            )
            box, chance, fits = self.emit_decoded(op, scores, deltas, numbers, base, s)
            boxes.append(op.reshape(box, -1, 4))
            score.append(op.reshape(op("Transpose", chance, perm=(0, 2, 3, 1)), -1))
            large.append(op.reshape(fits, -1))
        box, chance, fits = (op("Concat", *x, axis=0) for x in (boxes, score, large))
        return self.emit_tops(op, box, chance, fits, by_data(self.name, "boxes"))

    emit_caffe2 = LayerType.emit_caffe2  # there is none
