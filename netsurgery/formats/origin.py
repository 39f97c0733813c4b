"""What a net was read from: its vintage, the precision of its weights, the fields that only forks have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import _proto
from ..message import Message
from ..net import Net, Origin
from .prototxt.upgrade import vintage

if TYPE_CHECKING:
    from .weights.model_file import ModelFile


def origin(net: Message, stored: ModelFile | None, binary: bool) -> Origin:
    """The Origin of a net, from its NetParameter as it was read and its weights file."""
    return Origin(
        vintage(net),
        binary,
        stored.vintage if stored else "",
        tuple(sorted(stored.precision)) if stored else (),
    )


def fork_fields(net: Net) -> dict[str, tuple[str, ...]]:
    """Parameters that BVLC and SSD do not have, each with the names of the layers that set it: {"pooling_param.ceil_mode": ("pool1",)}."""
    setters: dict[str, dict[str, None]] = {}
    for layer in net.layers:
        for path in _fork_paths(layer.params, "LayerParameter"):
            setters.setdefault(path, {})[layer.name] = None
    return {path: tuple(names) for path, names in setters.items()}


def _fork_paths(message: Message, type: str) -> Iterator[str]:
    schema = _proto.fields(type)
    for f in message.fields:
        field = schema.get(f.name)
        if field is None or field.fork:
            yield f.name
        elif isinstance(f.value, Message):
            yield from (f"{f.name}.{inner}" for inner in _fork_paths(f.value, field.type))
