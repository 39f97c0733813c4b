"""What data layers of unknown types say of their tops, in the words of Caffe's own data layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..message import Message, Token
from ..net import Layer
from ..options import whole_number

_SIDES = (
    ("crop_size", "crop_size"),
    ("crop_h", "crop_w"),
    ("crop_height", "crop_width"),
    ("new_height", "new_width"),
    ("height", "width"),
)
"""Pairs of fields that give the height and width of an image, what comes last in Caffe first."""

_LABELS = ("label_num", "label_dim", "label_size")


@dataclass(frozen=True)
class Told:
    """How many items there are at once; channels, height and width of an image; how many labels it has. 0: not said."""

    items: int
    image: tuple[int, int, int]
    labels: int


def told(data: Layer) -> Told:
    """What a data layer says: its known type, or else its fields by their names, in whichever message they stand."""
    if data.kind.is_supported:
        first = next((shape for shape in data.kind.declared(len(data.tops)) if shape), (0,))
        return Told(first[0], data.kind.image_size or (0, 0, 0), 0)
    says = dict(_scalars(data.params))
    sides = next((pair for h, w in _SIDES if all(pair := (_whole(says.get(h)), _whole(says.get(w))))), (0, 0))
    means = sum(len(m.all("mean_value")) for m in _messages(data.params))
    channels = _whole(says.get("channels"))
    if _true(says.get("force_gray", False)) or not _true(says.get("is_color", True)):
        channels = 1
    elif not channels and (means == 3 or "new_height" in says or _true(says.get("force_color", False))):
        channels = 3
    labels = next((n for name in _LABELS if (n := _whole(says.get(name)))), 0)
    return Told(_whole(says.get("batch_size")), (channels, *sides), labels)


def _messages(params: Message) -> Iterator[Message]:
    for field in params.fields:
        if isinstance(field.value, Message):
            yield field.value


def _scalars(params: Message) -> Iterator[tuple[str, object]]:
    for message in _messages(params):
        for field in message.fields:
            if not isinstance(field.value, Message):
                yield field.name, field.value


def _true(value: object) -> bool:
    return (value.text if isinstance(value, Token) else str(value)) in ("true", "True", "1")


def _whole(value: object) -> int:
    """A positive whole number that a field holds, else 0."""
    text = value.text if isinstance(value, Token) else str(value)
    return whole_number(text) or 0
