"""Text that others wrote, as a terminal, a page or JSON may show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def visible(text: str) -> str:
    """`text` with control characters, line ends among them, and what turns the direction of writing escaped, as \\x1b."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def size_text(sizes: Iterable[object]) -> str:
    """1x3x227x227; "?" for what is no number."""
    return "x".join(str(n) if isinstance(n, int) else "?" for n in sizes)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON in which control characters, those beyond ASCII as well, and halves of characters are escaped in JSON's way."""
    import json

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
