"""Messages of the schema from and to protobuf's wire format, blobs left out.

From a binary only the numbers of BVLC and SSD are trusted: forks reuse each other's. A field whose number the schema
does not know keeps it as its name, "#149": its value is bytes, or the number as protobuf prints it for unknown fields
(decimal for a varint, 0x and 8 or 16 digits for fixed ones). So does a field that does not read as the schema says:
no reader of a layer will know it, and field accounting refuses it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ... import _proto
from ..._proto import FieldType
from ...errors import ParseError, Source, UnsupportedError
from ...files.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Buffer,
    MalformedError,
    fields,
    put_bytes,
    put_tag,
    put_varint,
    signed,
    text,
    varint,
)
from ...message import Field, Message, Token

MAX_FIELDS = 300_000
"""More values than this no net has outside of its blobs: it bounds the memory that a hostile file can ask for."""

_WIRES = {"float": FIXED32, "double": FIXED64, "string": BYTES, "bytes": BYTES, "message": BYTES}
"""Wire types by the schema's word for a kind; all others are varints."""
_FORMATS = {"float": "<f", "double": "<d"}
_FRAMES = {"NetParameter", "LayerParameter", "V1LayerParameter", "V0LayerParameter"}
"""Messages that are what they are: a field of theirs that does not read is unknown, not they."""


def decode(data: Buffer, type: str, source: Source) -> Message:
    """The message `type` of the schema that `data` holds, fields in file order, blobs left out.

    Raises: ParseError if it is none.
    """
    return _Decoder(data, source).message(0, len(data), type)


class _Decoder:
    def __init__(self, data: Buffer, source: Source) -> None:
        self.data, self.source, self.count = data, source, 0

    def message(self, start: int, end: int, type: str) -> Message:
        try:
            return Message(type, tuple(self.fields(start, end, type)), self.source)
        except MalformedError as error:
            if type in _FRAMES:
                raise ParseError(
                    f"{type}: {error.problem}", source=self.source, expected=error.expected, fix=error.fix
                ) from None
            raise

    def fields(self, start: int, end: int, type: str) -> Iterator[Field]:
        schema = _proto.fields_by_number(type)
        for number, wire, begin, stop in fields(self.data, start, end):
            field_type = schema.get(number)
            if field_type and field_type.type == "BlobProto":
                continue
            values = None
            if field_type:
                try:
                    values = self.values(field_type, wire, begin, stop)
                except MalformedError:
                    values = None
                if values is None and type not in _FRAMES:
                    raise MalformedError(f"field {number} of {type} does not read as {field_type.kind}", begin)
            self.count += len(values) if values is not None else 1
            if self.count > MAX_FIELDS:
                raise ParseError(f"more than {MAX_FIELDS} values outside of blobs", source=self.source)
            if field_type and values is not None:
                yield from (Field(field_type.name, value, self.source) for value in values)
            else:
                yield Field(f"#{number}", self.unknown(wire, begin, stop), self.source)

    def values(self, field_type: FieldType, wire: int, begin: int, stop: int) -> list[Any] | None:
        """The values of a field that the schema knows: several if it is packed; None if they are none of its kind."""
        right = _WIRES.get(field_type.kind, VARINT)
        if wire == BYTES != right and field_type.repeated:
            return self.packed(field_type, begin, stop)
        if wire != right:
            return None
        if field_type.kind == "message":
            return [self.message(begin, stop, field_type.type)]
        if field_type.kind == "bytes":
            return [bytes(self.data[begin:stop])]
        if field_type.kind == "string":
            return [text(self.data, begin, stop)]
        if field_type.kind in _FORMATS:
            return list(struct.unpack(_FORMATS[field_type.kind], self.data[begin:stop]))
        value = self.integer(field_type, varint(self.data, begin, stop)[0])
        return None if value is None else [value]

    def packed(self, field_type: FieldType, begin: int, stop: int) -> list[Any] | None:
        if stop - begin > 8 * MAX_FIELDS:
            return None
        if field_type.kind in _FORMATS:
            code = _FORMATS[field_type.kind]
            if (stop - begin) % struct.calcsize(code):
                return None
            return [value for (value,) in struct.iter_unpack(code, self.data[begin:stop])]
        values = []
        while begin < stop:
            number, begin = varint(self.data, begin, stop)
            value = self.integer(field_type, number)
            if value is None:
                return None
            values.append(value)
        return values

    def integer(self, field_type: FieldType, value: int) -> Any:
        """What a varint means in a field; None if it means nothing there."""
        if field_type.kind == "bool":
            return None if value > 1 else bool(value)
        if field_type.kind == "enum":
            number = signed(value)
            for name, of in _proto.enum(field_type.type).items():
                if of == number and of < _proto.FIRST_FORK_NUMBER:
                    return name
            return f"#{number}" if field_type.type == "V1LayerParameter.LayerType" else None
        if field_type.kind in ("int32", "int64"):
            value = signed(value)
        low, high = _proto.RANGES[field_type.kind]
        return value if low <= value <= high else None

    def unknown(self, wire: int, begin: int, stop: int) -> bytes | Token:
        raw = bytes(self.data[begin:stop])
        if wire == BYTES:
            return raw
        if wire == VARINT:
            return Token(str(varint(raw, 0, len(raw))[0]), "number")
        return Token(f"0x{int.from_bytes(raw, 'little'):0{2 * len(raw)}x}", "number")


def encode(message: Message) -> bytes:
    """The wire format of a message of the schema. Fields whose numbers only forks know are left out.

    Raises: UnsupportedError for a value that its field cannot hold.
    """
    schema = _proto.fields(message.type)
    out = bytearray()
    packed: set[str] = set()
    for f in message.fields:
        field_type = schema.get(f.name)
        if field_type is None:
            out += _encode_unknown(f)
        elif field_type.fork or f.name in packed:
            continue
        elif field_type.packed:
            packed.add(f.name)
            out += put_bytes(
                field_type.number, b"".join(_encode_value(field_type, v, f.source)[1] for v in message.all(f.name))
            )
        else:
            wire, value = _encode_value(field_type, f.value, f.source)
            if wire == BYTES:
                out += put_bytes(field_type.number, value)
            elif value:
                out += put_tag(field_type.number, wire) + value
    return bytes(out)


def _encode_value(field_type: FieldType, value: Any, source: Source) -> tuple[int, bytes]:
    """Wire type and bytes of a value; no bytes for an enum value that only forks have."""
    try:
        match field_type.kind:
            case "message":
                return BYTES, encode(value)
            case "bytes":
                return BYTES, bytes(value)
            case "string":
                return BYTES, value.encode("utf-8", "surrogateescape")
            case "float" | "double":
                return _WIRES[field_type.kind], struct.pack(_FORMATS[field_type.kind], value)
            case "enum":
                number = int(value[1:]) if value.startswith("#") else _proto.enum(field_type.type)[value]
                return VARINT, put_varint(number) if number < _proto.FIRST_FORK_NUMBER else b""
            case _:
                return VARINT, put_varint(int(value))
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, struct.error):
        raise UnsupportedError(
            f"{field_type.name}: {value!r} cannot be written",
            source=source,
            expected=f"a value of type {field_type.kind}",
        ) from None


def _encode_unknown(f: Field) -> bytes:
    if not f.name.startswith("#"):
        return b""
    number = int(f.name[1:])
    if isinstance(f.value, bytes):
        return put_bytes(number, f.value)
    digits = f.value.text
    if not digits.startswith("0x"):
        return put_tag(number, VARINT) + put_varint(int(digits))
    size = (len(digits) - 2) // 2
    return put_tag(number, FIXED32 if size == 4 else FIXED64) + int(digits, 16).to_bytes(size, "little")
