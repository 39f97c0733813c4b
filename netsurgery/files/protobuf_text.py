"""Names in messages that the library of protobuf has parsed: it lets bytes pass that are no text."""

from __future__ import annotations

from typing import Any

from ..errors import ParseError, Source

_STRING, _MESSAGE = 9, 11
"""Numbers of FieldDescriptor.Type."""


def require_text(message: Any, source: Source, problem: str, expected: str) -> None:
    """Raises: ParseError if a string of the message, or of one within it, is not UTF-8: then the library gives bytes for it."""
    for field, value in message.ListFields():
        kind = field.type
        if kind not in (_STRING, _MESSAGE):
            continue
        values = value if field.is_repeated else (value,)
        if kind == _MESSAGE:
            for inner in values:
                require_text(inner, source, problem, expected)
        elif text := next((text for text in values if isinstance(text, bytes)), None):
            shown = text[:40].decode("utf-8", "backslashreplace")
            raise ParseError(f"{problem}: {field.name} '{shown}' is not UTF-8", source=source, expected=expected)
