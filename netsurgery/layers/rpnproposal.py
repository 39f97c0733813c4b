"""The Python layer rpn.proposal_layer.ProposalLayer of py-faster-rcnn, R-FCN and PVANet."""

from typing import ClassVar

from .core import LayerType, Params
from .fpnproposal import PyramidProposals
from .rc3dproposal import WindowProposals
from .shared.faster_rcnn import RATIOS, SCALES, FasterRcnnProposals
from .shared.proposals import anchors
from .shared.python_layers import settings, size, sizes


class ProposalLayer(FasterRcnnProposals):
    """As FasterRcnnProposals, with the ratios (PVANet) and scales of param_str, from 16 x 16.

    Shapes: one image; im_info (1, 3): height, width, scale -> (R, 5), (R, 1).
    Source: rbgirshick/py-faster-rcnn, lib/rpn/proposal_layer.py; sanghoon/pva-faster-rcnn for `ratios`
    """

    types: ClassVar[tuple[str, ...]] = ("Python:rpn.proposal_layer.ProposalLayer",)
    note = (
        "of py-faster-rcnn, R-FCN, PVANet, by its bottoms also FPN's and R-C3D's; their configuration's TEST values: 6000 boxes before "
        "suppression, 300 after, overlap 0.7, least side 16"
    )

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        if bottom_count == 2:
            return WindowProposals
        return PyramidProposals if bottom_count == 11 else cls

    def read(self, p: Params) -> None:
        values = settings(p, self.title, "feat_stride", "scales", "ratios")
        self.stride = size(p, values, "feat_stride")
        self.anchors = anchors(16, sizes(p, values, "ratios", RATIOS), sizes(p, values, "scales", SCALES))


class PersonSearchProposal(ProposalLayer):
    """That of person_search: right and lower sides lie one pixel further in, dw and dh are cut to -10 .. 10.

    Nothing in a prototxt tells it from py-faster-rcnn's: the dialect person_search chooses it.

    Source: ShuangLI59/person_search, lib/rpn/proposal_layer.py, lib/fast_rcnn/bbox_transform.py
    """

    types = ()
    drawn_in = 1
    growth = 10
