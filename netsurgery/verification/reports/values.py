"""Words and numbers of reports."""

from __future__ import annotations

import math

AGREE, DIFFER, NOT_COMPARED, SHOWS_NOTHING = "agrees", "differs", "could not be compared", "shows nothing"


def plain(value: float | None) -> float | str | None:
    """A number that JSON can hold; infinity and NaN as strings."""
    if value is None or math.isfinite(value):
        return value
    return str(value)


def number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def index(where: tuple[int, ...] | None) -> str:
    """(0, 12, 3, 4)"""
    return f"({', '.join(map(str, where or ()))})"


def decibel(value: float) -> str:
    return "exact" if value == math.inf else f"{value:.0f} dB"
