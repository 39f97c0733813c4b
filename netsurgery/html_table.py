"""A table as HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .shown import visible

of_net: Callable[[Any], str]
"""What a notebook shows of a Net: `summary.to_html`, which stands far above Net; the package hands it down."""


def escape(text: str) -> str:
    """Text as it is: no tags, no control characters."""
    from html import escape as escape_html

    return escape_html(visible(text))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Rows of text under headings."""

    def line(tag: str, cells: Sequence[str]) -> str:
        style = ' style="text-align: left"'
        return "<tr>" + "".join(f"<{tag}{style}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    head = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{head}{line('th', headings)}{''.join(line('td', row) for row in rows)}</table>"
