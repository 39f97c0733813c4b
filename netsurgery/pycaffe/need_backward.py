"""Which layers and blobs backward goes through.

Upwards: a layer needs backward if a bottom does or a parameter learns; its tops then do. Downwards: only what a loss lies above is kept,
and nothing below where propagation is off. `force_backward` turns all on that a layer allows.

Source: BVLC/caffe src/caffe/net.cpp (Init), AllowForceBackward of the layers
"""

from __future__ import annotations

from collections.abc import Sequence

from .blob import Blob
from .slot import Slot

NO_FORCE = {"LSTM": 1, "RNN": 1, "ContrastiveLoss": 2}
"""Layers of which one bottom is no number to be differentiated."""
ALL_FORCE = {"EuclideanLoss"}


def may_force(slot: Slot, bottom: int) -> bool:
    """Whether `force_backward` reaches this bottom."""
    if slot.type in ALL_FORCE:
        return True
    barred = NO_FORCE.get(slot.type, 1 if slot.type.endswith("Loss") else -1)
    return bottom != barred


def mark(slots: Sequence[Slot], force: bool) -> None:
    """Sets `need_backward`, `bottom_need` and `param_need` of every layer."""
    _upwards(slots)
    _downwards(slots)
    if force:
        for slot in slots:
            slot.need_backward = True
            slot.bottom_need = [need or may_force(slot, i) for i, need in enumerate(slot.bottom_need)]
            slot.param_need = [True] * len(slot.blobs)


def _upwards(slots: Sequence[Slot]) -> None:
    needs: set[int] = set()
    for slot in slots:
        switches = slot.params.all("propagate_down")
        alive = [id(blob) in needs for blob in slot.bottoms]
        slot.bottom_need = [bool(s) for s in switches] if switches else list(alive)
        slot.param_need = [slot.lr_mult(i) != 0 for i in range(len(slot.blobs))]
        slot.need_backward = any(alive) or any(slot.param_need)
        if slot.need_backward:
            needs.update(id(blob) for blob in slot.tops)


def _downwards(slots: Sequence[Slot]) -> None:
    under_loss: set[Blob] = set()
    skipped: set[Blob] = set()
    for slot in reversed(slots):
        pairs = zip(slot.tops, slot.loss_weights, strict=True)
        contributes = any(weight or top in under_loss for top, weight in pairs)
        skips = all(top in skipped for top in slot.tops)
        if slot.need_backward and skips:
            slot.need_backward = False
            slot.bottom_need = [False] * len(slot.bottoms)
        if not contributes:
            slot.need_backward = False
        for i, blob in enumerate(slot.bottoms):
            if contributes:
                under_loss.add(blob)
            else:
                slot.bottom_need[i] = False
            if not slot.bottom_need[i]:
                skipped.add(blob)
