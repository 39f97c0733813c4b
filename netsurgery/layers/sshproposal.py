"""The Python layer SSH.layers.proposal_layer.ProposalLayer of SSH."""

from collections.abc import Sequence

from .caffe2.boxes import column
from .core import Array, Op, Params, Size, Tensor, Tensors
from .shared.faster_rcnn import RATIOS, SCALES, FasterRcnnProposals
from .shared.proposals import anchors
from .shared.python_layers import settings, size, sizes


class SshProposal(FasterRcnnProposals):
    """The 1000 boxes of the best scores, as decoded: none is too small, none is suppressed.

    Shapes: as FasterRcnnProposals.
    Source: mahyarnajibi/SSH, SSH/layers/proposal_layer.py, SSH/configs/default_config.yml
    """

    types = ("Python:SSH.layers.proposal_layer.ProposalLayer",)
    note = "of SSH; its configuration's TEST values: the 1000 best boxes, whatever their size"
    smallest = 0
    before = 1000

    def read(self, p: Params) -> None:
        values = settings(p, self.title, "feat_stride", "scales", "ratios", "base_size")
        self.stride = size(p, values, "feat_stride")
        base = int(size(p, values, "base_size", 16))
        self.anchors = anchors(base, sizes(p, values, "ratios", RATIOS), sizes(p, values, "scales", SCALES))

    def survivors(self, boxes: Array) -> Sequence[int]:
        return range(len(boxes))

    def emit_tops(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: Size) -> Tensors:
        best = op("Min", op.ints(self.before), op.size(score, 0))
        values, at = op.many(2, "TopK", score, best, axis=0)
        return [op("Pad", op("Gather", boxes, at), op.ints(0, 1, 0, 0)), op("Unsqueeze", values, op.ints(1))]

    def emit_tops_caffe2(self, op: Op, boxes: Tensor, score: Tensor, large: Tensor, count: int) -> Tensors:
        values, at = self.ordered_caffe2(op, score, count)
        best = op("Gather", boxes, at, axis=0)
        return [op("Concat", column(op, op("Mul", at, op.ints(0))), best, axis=1), op.reshape(values, -1, 1)]
