"""Forks that gave one name to different layers: where no field tells them apart, the user says which one is meant, or the net shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from ... import layers as layer_files
from ...errors import NetsurgeryError
from ...layers.core.layer_type import LayerType
from ...message import Message


@dataclass(frozen=True)
class Dialect:
    """The layer types of a fork that differ from what the name stands for otherwise, as "module:class"; `shown_by` are types, tops and
    fields ("prior_box_param.offset_w") that only nets of that fork have."""

    layers: Mapping[str, str]
    shown_by: frozenset[str] = frozenset()
    says: str = ""


DIALECTS: dict[str, Dialect] = {
    "bottom-up-attention": Dialect(
        {"Embed": "embed:EmbedLastAxis"}, frozenset({"ROIPooling"}), "Embed takes the place of a last axis of 1"
    ),
    "darknet": Dialect(
        {"Pooling": "pooling_darknet:DarknetPooling"},
        says="Pooling has floor((size + 2 pad) / stride) windows: kernel 2 with stride 1 keeps the size",
    ),
    "liteflownet": Dialect(
        {"Warp": "warp:WarpByPlaces"}, frozenset({"Grid"}), "Warp is given places; PWC-Net's (the default) a flow"
    ),
    "person_search": Dialect(
        {"Python:rpn.proposal_layer.ProposalLayer": "rpnproposal:PersonSearchProposal"},
        frozenset({"pid_prob"}),
        says="boxes of its ProposalLayer end one pixel further in",
    ),
    "textboxes": Dialect(
        {"DetectionOutput": "detectionoutput_polygons:PolygonDetectionOutput"},
        says="DetectionOutput has 12 numbers for each prior, also where use_polygon is not set",
    ),
    "tl_ssd": Dialect(
        {"DetectionOutput": "detectionoutput_states:StateDetectionOutput"},
        frozenset({"prior_box_param.offset_w", "prior_box_param.offset_h"}),
        says="DetectionOutput suppresses over all classes at once, also where do_state_prediction is not set",
    ),
    "keras-hard": Dialect({"HardSwish": "hardswish:KerasHardSwish"}, says="HardSwish has the line x / 5 + 1 / 2"),
}


def replacements(dialect: str, layers: Sequence[Message], notes: list[str]) -> dict[str, type[LayerType]]:
    """The classes that stand for layer types in this dialect (""; the one that a net of these layers shows, if any). A note says so.

    Raises: NetsurgeryError for a dialect that is not known."""
    if dialect and dialect not in DIALECTS:
        raise NetsurgeryError(f"dialect '{dialect}' is not known", expected=f"one of: {', '.join(DIALECTS)}")
    words = {word for layer in layers for word in _words(layer)}
    chosen = [name for name, d in DIALECTS.items() if d.shown_by & words and d.layers.keys() & words]
    classes: dict[str, type[LayerType]] = {}
    for name in [dialect] if dialect else chosen:
        for type, place in DIALECTS[name].layers.items():
            module, cls = place.split(":")
            classes[type] = getattr(import_module(f"{layer_files.__name__}.{module}"), cls)
        if not dialect:
            evidence = ", ".join(sorted(DIALECTS[name].shown_by & words))
            notes.append(f"read in the dialect {name}, which {evidence} shows: {DIALECTS[name].says} (--dialect)")
    return classes


def _words(layer: Message) -> Iterator[str]:
    """The type of a layer (of a Python layer its module and class as well), its tops, and the fields of its parameters."""
    type = str(layer.last("type", ""))
    yield type
    yield from map(str, layer.all("top"))
    for field in layer.fields:
        if isinstance(field.value, Message):
            yield from (f"{field.name}.{inner.name}" for inner in field.value.fields)
            if type == "Python" and field.name == "python_param":
                yield f"Python:{field.value.last('module', '')}.{field.value.last('layer', '')}"
