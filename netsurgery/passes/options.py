"""What is done to a net between reading and using it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..options import Flag, Pairs, Words, choice, option


@dataclass(frozen=True)
class Surgery:
    """Operations on a net on the way to a model: see `passes.convolutionalize` and `passes.raw_detections`."""

    PANEL: ClassVar = "Surgery"

    fully_convolutional: bool = option(
        False, Flag(), "fully-convolutional", "Turn InnerProduct into Convolution: any image size, a map of answers."
    )
    only: Sequence[str] | None = option(
        None, Words("names of layers, such as fc6,fc7", "FC6,FC7"), "only", "Turn only these InnerProduct layers."
    )
    sliding_pool: bool = option(
        False, Flag(), "sliding-pool", "Let a pool of the whole map slide instead of giving one answer."
    )
    rename: Mapping[str, str] | None = option(
        None,
        Pairs("OLD=NEW, such as fc6=fc6-conv", "FC6=FC6-CONV", 'names: { fc6 = "fc6-conv" }'),
        "rename",
        "New name of a converted layer. Repeatable.",
    )
    detections: str = option(
        "boxes",
        choice("boxes", "raw", also=((True, "raw"), (False, "boxes"))),
        "detections",
        "boxes, as DetectionOutput gives them; or raw: decoded boxes, scores and priors, for an NMS of your own.",
        old="raw_detections",
    )
    recurrent_state: bool = option(
        False,
        Flag(),
        "recurrent-state",
        "Make what recurrent layers keep from call to call inputs LAYER.h, LAYER.c and outputs LAYER.h_next, LAYER.c_next.",
    )
