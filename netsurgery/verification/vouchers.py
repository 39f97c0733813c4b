"""Who vouches for the numbers that a blob is held against: real Caffe, now or when they were recorded; netsurgery's interpreter, whose
layer is held to numbers that Caffe, or the fork that has it, computed; or nobody but the layer's formula."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..layers.core.layer_type import LayerType
from ..net import Layer

INTERPRETER, FORMULA = "interpreter", "formula"

_WORDS = {INTERPRETER: "the interpreter (held to Caffe's numbers)", FORMULA: "a formula alone"}

_LAYERS = f"{__name__.partition('.')[0]}.layers."


def voucher(layer: Layer, by: str) -> str:
    """`by`, if something else than the interpreter computed a blob of this layer."""
    return by or (FORMULA if by_formula(layer) else INTERPRETER)


def by_formula(layer: Layer) -> bool:
    """Whether the interpreter's layer is held to no numbers: a layer of one's own, or one written after a formula or a fork's source."""
    kind = layer.kind
    return not type(kind).__module__.startswith(_LAYERS) or (
        isinstance(kind, LayerType) and kind.note.startswith("by formula")
    )


def in_words(counts: Mapping[str, tuple[int, int]]) -> str:
    """`Caffe 1.0.0 in 31 of 39 blobs`: counts are those that agree, and all, by who vouches for them."""
    order = sorted(counts, key=lambda by: (by == FORMULA, by == INTERPRETER))
    parts = [f"{_WORDS.get(by, by)} in {counts[by][0]} of {counts[by][1]}" for by in order]
    total = counts[order[0]][1] if order else 0
    return _listed([f"{parts[0]} blob{'s' if total != 1 else ''}", *parts[1:]]) if parts else ""


def _listed(parts: Iterable[str]) -> str:
    *before, last = parts
    return f"{', with '.join(before)}, and with {last}" if before else last
