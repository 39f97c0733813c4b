"""The gradients of the layer types, as Caffe computes them: by formula where that is short or Caffe has a way of its own, else by PyTorch
through the layer's translation."""

from __future__ import annotations

from ...errors import UnsupportedError
from ..slot import Slot
from . import dense, elementwise, losses, wiring
from .rule import Rule

RULES: dict[str, Rule] = {**elementwise.RULES, **wiring.RULES, **dense.RULES, **losses.RULES}
NONE = ("Accuracy", "ArgMax", "Threshold", "DetectionOutput", "PriorBox")
"""Layers of which Caffe knows no gradient."""


def differentiate(slot: Slot) -> None:
    """The diffs of the layer's bottoms and parameters, from those of its tops.

    Raises: UnsupportedError for a layer that has no gradient, or where PyTorch is needed and not installed."""
    op = slot.op
    if op.is_source and not slot.bottoms and not op.backward():
        return
    if op.is_source or op.backward():
        return
    if slot.type in NONE:
        if any(slot.bottom_need):
            raise UnsupportedError("has no gradient, in Caffe either", layer=slot)
        return
    if slot.type == "GradientScaler" and any(slot.bottom_need):
        raise UnsupportedError("scales its gradient by how far training has come, which is not known here", layer=slot)
    kind = op.kind
    assert kind is not None, slot.title
    rule = RULES.get(slot.type)
    if rule is not None:
        rule(slot, kind)
        return
    if kind.is_identity:
        wiring.identity(slot, kind)
        return
    from . import by_torch

    by_torch.differentiate(slot)
