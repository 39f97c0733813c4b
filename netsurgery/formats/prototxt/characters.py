"""The bytes of a prototxt as characters, and the escapes in its strings."""

from __future__ import annotations

import re

from ...errors import ParseError, Source
from ...files.signatures import HDF5_SIGNATURE, HEAD, describe_wrong_file
from ...message import readable

MAX_BYTES = 64 << 20
"""A prototxt larger than this is refused."""

_ESCAPE = re.compile(
    rb"\\(?:[0-7]{1,3}|[xX][0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}(?:\\u[0-9A-Fa-f]{4})*+|U[0-9A-Fa-f]{8}|[^\x80-\xff]|.[\x80-\xbf]*)"
)
_ESCAPES = dict(zip(b"abfnrtv\\?'\"", b"\a\b\f\n\r\t\v\\?'\"", strict=True))


def decode(data: bytes | str, file: str) -> str:
    """The text of the file; bytes that are not UTF-8 become surrogates. Raises: ParseError for what is no text."""
    source = Source(file)
    if len(data) > MAX_BYTES:
        raise ParseError(f"the prototxt is {len(data)} bytes long", source=source, expected=f"at most {MAX_BYTES}")
    if isinstance(data, bytes):
        if data[:2] in (b"\xff\xfe", b"\xfe\xff") or (len(data) > 3 and data[1:2] == data[3:4] == b"\0" != data[:1]):
            raise ParseError("the text is UTF-16", source=source, expected="UTF-8", fix="save the file as UTF-8")
        if b"\0" in data[:HEAD] or data.startswith(HDF5_SIGNATURE):
            raise binary_error(data, file)
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    else:
        text = data.removeprefix("\ufeff")
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # surrogates that stand for no byte: keep them as the bytes they would be
            text = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    # Lines that end as on the old Mac: a comment would swallow the rest of the file.
    return text if "\n" in text else text.replace("\r", "\n")


def binary_error(data: bytes, file: str) -> ParseError:
    """The error for data that are no text."""
    wrong = None if data.startswith(HDF5_SIGNATURE) else describe_wrong_file(data)
    if wrong:
        return ParseError(wrong[0], source=Source(file), expected="a prototxt: protobuf text", fix=wrong[2])
    return ParseError(
        "this looks like a binary caffemodel; were the two files swapped?",
        source=Source(file),
        expected="a prototxt: protobuf text",
        fix="give the prototxt first, then the caffemodel",
    )


class EscapeError(ValueError):
    """What stands behind a backslash and means nothing there."""


def unescaped(text: str) -> str:
    """The text between quotes without its escapes. Raises: EscapeError."""
    data = _ESCAPE.sub(_unescape, text.encode("utf-8", "surrogateescape"))
    return data.decode("utf-8", "surrogateescape")


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[0][1:]
    if code[0] in b"01234567":
        return bytes([int(code, 8) & 255])
    if len(code) == 1 and code[0] in _ESCAPES:
        return bytes([_ESCAPES[code[0]]])
    if code[0] in b"xX" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if code[0] in b"uU" and len(code) > 1:  # UTF-16, in which \\u may come in pairs, or UTF-32
        units, encoding = (
            code.replace(b"\\", b"").replace(code[:1], b""),
            "utf-16-be" if code[0] == 117 else "utf-32-be",
        )
        return bytes.fromhex(units.decode()).decode(encoding, "replace").encode()
    raise EscapeError(readable(match[0].decode("utf-8", "surrogateescape")))
