"""Protobuf's wire format: fields of a message one by one, payloads untouched.

Source: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap

from ..errors import ParseError

VARINT, FIXED64, BYTES, START_GROUP, END_GROUP, FIXED32 = range(6)
WIRE_NAMES = ("varint", "64-bit value", "length-delimited value", "start of a group", "end of a group", "32-bit value")

Buffer = bytes | mmap


class MalformedError(ParseError):
    """Bytes that are no protobuf message. `offset` is where; whoever knows file and layer raises it again with both."""

    def __init__(self, problem: str, offset: int, expected: str = "", fix: str = "") -> None:
        self.offset = offset
        super().__init__(f"{problem} (byte {offset})", expected=expected, fix=fix)


def varint(data: Buffer, at: int, end: int) -> tuple[int, int]:
    """The unsigned 64-bit varint at `at` and where it ends; bits beyond the 64th are dropped, as protobuf drops them.

    Raises: MalformedError if it runs past `end` or past ten bytes.
    """
    value = shift = 0
    start = at
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift == 70:
            raise MalformedError("a number is longer than the ten bytes that a varint may have", start)
    raise MalformedError("cut off in the middle of a number", start)


def signed(value: int) -> int:
    """The int64 (or sign-extended int32) whose varint was read as `value`."""
    return value - (1 << 64) if value >> 63 else value


def field(data: Buffer, at: int, end: int) -> tuple[int, int, int, int]:
    """The field whose tag is at `at`: (number, wire type, first byte of its value, first byte behind it).

    Raises: MalformedError if it is none, or does not end before `end`.
    """
    tag, begin = varint(data, at, end)
    number, wire = tag >> 3, tag & 7
    if not 0 < number < 1 << 29:
        raise MalformedError(f"field number {number} is not possible", at, expected="1 to 536870911")
    if wire == BYTES:
        length, begin = varint(data, begin, end)
        stop = begin + length
    elif wire == VARINT:
        _, stop = varint(data, begin, end)
    elif wire == FIXED32:
        stop = begin + 4
    elif wire == FIXED64:
        stop = begin + 8
    else:
        kind = WIRE_NAMES[wire] if wire < len(WIRE_NAMES) else f"wire type {wire}"
        raise MalformedError(f"field {number} is a {kind}, which no Caffe file has", at)
    if stop > end:
        raise MalformedError(f"field {number} needs {stop - begin} bytes and {end - begin} are left", at, fix=TRUNCATED)
    return number, wire, begin, stop


TRUNCATED = "the file is cut off or damaged: download or copy it again"


def text(data: Buffer, start: int, end: int) -> str:
    """A string of a binary file; bytes that are not UTF-8 (models with names in GBK exist) as \\xb2."""
    return data[start:end].decode("utf-8", "backslashreplace")


def fields(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Every field of the message in data[start:end], as `field` gives it. Raises: MalformedError."""
    while start < end:
        number, wire, begin, start = field(data, start, end)
        yield number, wire, begin, start


def put_varint(value: int) -> bytes:
    """`value` (an int64 or uint64) as a varint."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_tag(number: int, wire: int) -> bytes:
    return put_varint(number << 3 | wire)


def put_bytes(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    return put_tag(number, BYTES) + put_varint(len(value)) + value
