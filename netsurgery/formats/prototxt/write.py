"""Message -> protobuf text in the style of Caffe's own models: two spaces, a field per line, `convolution_param {`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import _proto
from ...message import Field, Message, Token, quote, write_float


def write_message(message: Message, indent: int = 0) -> str:
    """The fields of `message` as text, `indent` levels deep; comments with them, unknown fields as they were.

    text.parse reads it back as the same message, but for the places, and typed.resolve to the same values.
    """
    return "".join(f"{line}\n" for line in _lines(message, "  " * indent))


def _lines(message: Message, margin: str) -> Iterator[str]:
    schema = _proto.fields(message.type)
    for field in message.fields:
        for comment in field.comments:
            yield from (margin + line for line in _comment(comment))
        remark, *below = _comment(field.remark)
        remark = f" {remark}" if field.remark.partition("\n")[0] else ""
        if isinstance(field.value, Message) and _fits_a_line(field.value):
            sizes = " ".join(f"{f.name}: {f.value}" for f in field.value.fields)
            yield f"{margin}{field.name} {{ {sizes} }}{remark}"
        elif isinstance(field.value, Message):
            yield f"{margin}{field.name} {{"
            yield from _lines(field.value, f"{margin}  ")
            yield f"{margin}}}{remark}"
        else:
            yield f"{margin}{field.name}: {_scalar(field, schema)}{remark}"
        yield from (margin + line for line in below)


def _fits_a_line(message: Message) -> bool:
    """Whether it is written as Caffe's models write shapes: `shape { dim: 1 dim: 3 }`."""
    return message.type == "BlobShape" and all(
        isinstance(f.value, int) and not f.comments and not f.remark for f in message.fields
    )


def _comment(text: str) -> list[str]:
    return [f"# {line}" if line else "#" for line in text.split("\n")]


def to_token(field: Field, type: str) -> Token:
    """The value of a field of the message `type` as a word, as text.parse reads what is written of it."""
    value = field.value
    if isinstance(value, Token):
        return value
    schema = _proto.fields(type)
    if isinstance(value, bytes):
        return Token(value.decode("utf-8", "surrogateescape"), "string")
    if isinstance(value, str):
        return Token(value, "name" if field.name in schema and schema[field.name].kind == "enum" else "string")
    text = _scalar(field, schema)
    return Token(text, "name" if text.lstrip("-").isalpha() else "number")


def _scalar(field: Field, schema: Mapping[str, _proto.FieldType]) -> str:
    value = field.value
    if isinstance(value, Token):
        return quote(value.text) if value.kind == "string" else value.text
    kind = schema[field.name].kind if field.name in schema else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return quote(value.decode("utf-8", "surrogateescape"))
    if isinstance(value, str):
        return value if kind == "enum" else quote(value)
    if kind == "float" or (isinstance(value, float) and kind != "double"):
        return write_float(value)
    return repr(value).removesuffix(".0") if kind == "double" else str(value)


def original_text(layer: Field) -> str:
    """The text of a layer as it was read, under all comments above it; the comments alone if it has no text of its own (old vintages)."""
    text: str = layer.value.text
    above = [line for comment in layer.comments if comment not in text for line in _comment(comment)]
    return "".join(f"{line}\n" for line in above) + text
