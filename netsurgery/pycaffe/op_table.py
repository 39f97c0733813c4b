"""Layer type -> the way in which it runs."""

from __future__ import annotations

from collections.abc import Callable

from . import data, python_layer, training
from .hdf5_output import HDF5OutputOp
from .kind_op import KindOp
from .op import InputOp, Op
from .slot import Slot

_BY_TYPE: dict[str, Callable[[Slot], Op]] = {
    "BatchNorm": training.BatchNormOp,
    "HDF5Output": HDF5OutputOp,
    "Input": InputOp,
    **data.OPS,
    **python_layer.OPS,
}


def make_op(slot: Slot) -> Op:
    """The way in which a layer runs."""
    if slot.type in _BY_TYPE:
        op: Op = _BY_TYPE[slot.type](slot)
        return op
    if slot.phase == "TRAIN" and slot.type in training.OPS:
        trained: Op = training.OPS[slot.type](slot)
        return trained
    return KindOp(slot)
