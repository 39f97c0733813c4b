"""Region proposals as py-faster-rcnn chooses them: what its Python layer and its descendants have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..caffe2.boxes import best_first
from ..caffe2.operators import turned
from ..core import Array, Op, Shapes, Tensor
from .proposals_single import SingleImage

RATIOS, SCALES = (0.5, 1, 2), (8, 16, 32)


class FasterRcnnProposals(SingleImage):
    """Regions of one image, with the constants of the project's configuration for TEST: boxes with a side below 16 * scale are left
    out, the 6000 best gone through until 300 are kept, overlap above 0.7.

    Among equal scores the later boxes are the better ones for the 6000, the earlier ones after that (numpy's argsort, reversed
    twice; where it is not stable, no order is certain).

    Shapes: one image; im_info (1, 3): height, width, scale -> (R, 5), (R, 1).
    Source: rbgirshick/py-faster-rcnn, lib/rpn/proposal_layer.py, lib/rpn/generate_anchors.py, lib/nms/py_cpu_nms.py;
    sanghoon/pva-faster-rcnn for `ratios`
    """

    smallest = 16
    overlap = float(np.float32(0.7))
    most = 300
    before = 6000

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.require(bottoms[0][0], 1, "batch", fix="one image at a time: the layer takes no more")
        return super().shapes(bottoms)

    def ranked(self, score: Array, large: NDArray[np.bool_]) -> tuple[Array, NDArray[np.intp]]:
        at = np.flatnonzero(large)
        for _ in range(2):
            at = at[np.argsort(score[at], kind="stable")[::-1]][: self.before]
        return score, at

    def emit_order(self, op: Op, score: Tensor, at: Tensor) -> Tensor:
        score = op("Gather", score, at)
        _, best = op.many(2, "TopK", score, op("Min", op.ints(self.before), op.size(score, 0)), axis=0)
        return op("Gather", at, self.emit_backwards(op, best))

    def limit(self, count: int) -> int:
        return min(count, self.before)

    def ordered_caffe2(self, op: Op, score: Tensor, count: int) -> tuple[Tensor, Tensor]:
        if count <= self.before:
            return best_first(op, score, 1, count, count)
        values, at = best_first(
            op, score, 1, count, self.before, later_first=True
        )  # choosing, the later of equals wins
        values, again = best_first(op, turned(op, values, 0), 1, self.before, self.before)  # then the earlier one
        return values, op("Gather", turned(op, at, 0), again)
