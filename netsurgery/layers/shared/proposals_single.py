"""Region proposals of one image: what py-faster-rcnn's Python layer and Synopsys's Proposal have in common."""

from __future__ import annotations

from ..caffe2.boxes import best_first, column, ranks, suppress
from ..caffe2.operators import cast, like
from ..core import Op, Size, Tensor, Tensors
from .boxes_onnx import LOWEST, emit_suppress
from .proposals import PLUS_ONE, Proposals


class SingleImage(Proposals):
    """Regions of the first image; too small boxes are left out."""

    def emit_tops(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: Size) -> Tensors:
        at = op("Squeeze", op("NonZero", large), op.ints(0))
        at = self.emit_order(op, score, self.emit_backwards(op, at))
        boxes, score = op("Gather", boxes, at), op("Gather", score, at)
        survivors = self.emit_survivors(op, boxes, score)
        rows = op("Pad", op("Gather", boxes, survivors), op.ints(0, 1, 0, 0))
        return [rows, op("Unsqueeze", op("Gather", score, survivors), op.ints(1))]

    def emit_survivors(self, op: Op, boxes: Tensor, score: Tensor) -> Tensor:
        """Which of boxes (K, 4) are the regions, best first: int64."""
        return emit_suppress(op, op("Add", boxes, PLUS_ONE), score, self.overlap, most=self.most)

    def emit_order(self, op: Op, score: Tensor, at: Tensor) -> Tensor:
        """The boxes to be gone through, of those in `at`, the last first; among equal scores those that stand first are first."""
        return at

    @staticmethod
    def emit_backwards(op: Op, x: Tensor) -> Tensor:
        return op("Slice", x, op.ints(-1), op.ints(-(2**63) + 1), op.ints(0), op.ints(-1))

    def emit_tops_caffe2(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: int) -> Tensors:
        score = op("Where", cast(op, large, "bool"), score, like(op, score, LOWEST))
        values, at = self.ordered_caffe2(op, score, count)
        boxes = op("Gather", boxes, at, axis=0)
        keys = op.reshape(ranks(op, values, self.limit(count), LOWEST), -1, 1)
        tested = op("Add", boxes, op.const(PLUS_ONE))
        _, place, _ = suppress(op, tested, keys, self.overlap, most=self.most)
        survivors = op("Gather", boxes, place, axis=0)
        first = column(op, op("Mul", place, op.ints(0)))
        return [op("Concat", first, survivors, axis=1), op.reshape(op("Gather", values, place), -1, 1)]

    def limit(self, count: int) -> int:
        """How many of `count` boxes are gone through."""
        return count

    def ordered_caffe2(self, op: Op, score: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The scores in the order in which boxes are gone through, and where these stand."""
        return best_first(op, score, 1, count, count)
