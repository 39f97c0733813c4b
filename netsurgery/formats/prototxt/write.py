"""Message -> protobuf text in the style of Caffe's own models: two spaces, a field per line, `convolution_param {`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ... import _proto
from ...message import Field, Message, Token, float32

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write_message(message: Message, indent: int = 0) -> str:
    """The fields of `message` as text, `indent` levels deep; comments with them, unknown fields as they were.

    text.parse reads it back as the same message, but for the places, and typed.resolve to the same values.
    """
    return "".join(f"{line}\n" for line in _lines(message, "  " * indent))


def _lines(message: Message, margin: str) -> Iterator[str]:
    known = _proto.message(message.type) if _proto.has_message(message.type) else {}
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
            yield f"{margin}{field.name}: {_scalar(field, known)}{remark}"
        yield from (margin + line for line in below)


def _fits_a_line(message: Message) -> bool:
    """Whether it is written as Caffe's models write shapes: `shape { dim: 1 dim: 3 }`."""
    return message.type == "BlobShape" and all(
        isinstance(f.value, int) and not f.comments and not f.remark for f in message.fields
    )


def _comment(text: str) -> list[str]:
    return [f"# {line}" if line else "#" for line in text.split("\n")]


def _scalar(field: Field, known: Mapping[str, _proto.FieldType]) -> str:
    value = field.value
    if isinstance(value, Token):
        return quote(value.text) if value.kind == "string" else value.text
    kind = known[field.name].kind if field.name in known else ""
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
