"""Message, Field and Token: the tree that a prototxt is, and how its values are spelled. Frozen; no files, no protobuf."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import Source


def float32(value: float) -> float:
    """`value` as Caffe holds it: rounded to float32 (beyond its range: infinite)."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


@dataclass(frozen=True, slots=True)
class Token:
    """A value of a field that no schema knows, as it was written: `kind` is "string" (then `text` is decoded), "number" or "name"."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Field:
    """One `name: value` of a Message. `comments` are the lines above it, without `#`; `remark` is the one behind it.

    Comments that stand last in a block, with no field below, are further lines of the last field's `remark`. `place` is the source as a
    number: a net has as many as fields.
    """

    name: str
    value: Any
    place: int = 0
    comments: tuple[str, ...] = ()
    remark: str = ""

    @property
    def source(self) -> Source:
        return Source.of(self.place)

    def __reduce__(self) -> tuple[Any, ...]:  # files have other numbers in other processes
        return Field, (self.name, self.value, self.source, self.comments, self.remark)


SHOWN = 8
"""How many fields the repr of a message names."""


@dataclass(frozen=True, repr=False, slots=True)
class Message:
    """A protobuf message as it was written: fields in order, repeats included, unknown ones kept.

    `type` is the schema's name for it ("PoolingParameter"), "" if no schema knows it. Values are bool, int, float (already rounded to
    float32 where the field is one), str (also enum values, by name), bytes, Message, or Token where the schema does not know the field.
    `text` is the original text of the whole field (name, braces, comments above it), kept for layers only.
    """

    type: str = ""
    fields: tuple[Field, ...] = ()
    place: int = 0
    text: str = field(default="", compare=False)

    @property
    def source(self) -> Source:
        return Source.of(self.place)

    def __reduce__(self) -> tuple[Any, ...]:
        return Message, (self.type, self.fields, self.source, self.text)

    def __repr__(self) -> str:
        fields = [
            f"{f.name} {{..}}" if isinstance(f.value, Message) else f"{f.name}: {getattr(f.value, 'text', f.value)}"
            for f in self.fields[:SHOWN]
        ]
        more = [".."] if len(self.fields) > SHOWN else []
        return f"<Message {self.type or '(unknown)'}: {', '.join([*fields, *more]) or 'empty'}>"

    def all(self, name: str) -> list[Any]:
        """Every value of the field `name`, in order."""
        return [f.value for f in self.fields if f.name == name]

    def last(self, name: str, default: Any = None) -> Any:
        """The value of a field that is not repeated: protobuf lets the last one win. Messages are not merged here."""
        for f in reversed(self.fields):
            if f.name == name:
                return f.value
        return default

    def has(self, name: str) -> bool:
        return any(f.name == name for f in self.fields)

    def with_fields(self, *fields: Field) -> Message:
        """The same message with `fields` in place of all that had one of their names (put where the first one was, else at the end)."""
        names = {f.name for f in fields}
        new: list[Field] = []
        placed = False
        for f in self.fields:
            if f.name not in names:
                new.append(f)
            elif not placed:
                new.extend(fields)
                placed = True
        if not placed:
            new.extend(fields)
        return replace(self, fields=tuple(new), text="")

    def same(self, other: Message) -> bool:
        """Whether both hold the same values in the same order, wherever they were read and whatever the comments say."""
        return len(self.fields) == len(other.fields) and all(
            a.name == b.name
            and (
                a.value.same(b.value)
                if isinstance(a.value, Message) and isinstance(b.value, Message)
                else type(a.value) is type(b.value) and a.value == b.value
            )
            for a, b in zip(self.fields, other.fields, strict=True)
        )

    def without(self, *names: str) -> Message:
        return replace(self, fields=tuple(f for f in self.fields if f.name not in names), text="")


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_float(value: float) -> str:
    """A short decimal that Caffe reads as the float32 of `value`: 0.1, not 0.10000000149."""
    value = float32(value)
    # Six digits give back any decimal that has no more of them, nine any float32.
    texts = (f"{value:.{digits}g}" for digits in range(6, 10))
    return next((text for text in texts if float32(float(text)) == value), f"{value:.9g}")


def quote(text: str) -> str:
    """A string in quotes; control characters and bytes that are not UTF-8 (surrogates) as octal escapes."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(_escape(character) for character in text)}"'


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character >= " " and character != "\x7f" and not "\ud800" <= character <= "\udfff":
        return character
    return "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogateescape"))


def readable(text: str) -> str:
    """`text` with `\\xb2` for each surrogate, which stands for a byte that is not UTF-8; wire.text does the same."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
