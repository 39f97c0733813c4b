"""What a gradient rule is, and what it may ask of a layer's past."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ...kind import Kind
from ..slot import Slot

if TYPE_CHECKING:
    from ..blob import Array

K = TypeVar("K", bound=Kind)
Rule = Callable[[Slot, Kind], None]
"""Writes the diffs of a layer's bottoms and parameters, from those of its tops."""


def of(type: type[K], rule: Callable[[Slot, K], None]) -> Rule:
    """A rule that reads what a layer's type says, for layers of this type."""

    def checked(slot: Slot, kind: Kind) -> None:
        assert isinstance(kind, type), kind
        rule(slot, kind)

    return checked


def past(slot: Slot, index: int = 0) -> Array:
    """A bottom as it was when the layer ran: of it are the masks, probabilities and differences that Caffe keeps for the backward."""
    return slot.bottoms[index].read_data() if slot.trace is None else slot.trace.bottom(slot, index)


def seen(slot: Slot) -> Array:
    """The first bottom as it is, or as the layer read it if it has overwritten it since."""
    return past(slot) if slot.in_place else slot.bottoms[0].read_data()
