"""The Python layer pylayer.proposal_layer.ProposalLayer of MNC."""

from .core import Params
from .shared.faster_rcnn import RATIOS, SCALES, FasterRcnnProposals
from .shared.proposals import anchors
from .shared.python_layers import settings, size


class MncProposal(FasterRcnnProposals):
    """As py-faster-rcnn's, with its usual anchors always.

    Shapes: as FasterRcnnProposals.
    Source: daijifeng001/MNC, lib/pylayer/proposal_layer.py
    """

    types = ("Python:pylayer.proposal_layer.ProposalLayer",)
    note = (
        "of MNC; its configuration's TEST values: 6000 boxes before suppression, 300 after, overlap 0.7, least side 16"
    )

    def read(self, p: Params) -> None:
        # what gradient_scale, use_clip and clip_base say concerns training alone
        values = settings(p, self.title, "feat_stride", "gradient_scale", "use_clip", "clip_base")
        self.stride = size(p, values, "feat_stride")
        self.anchors = anchors(16, RATIOS, SCALES)
