"""What a file may ask for: every limit in one place, each checked before memory or time is taken.

NETSURGERY_LIMITS lifts them: `off` lifts all, `pixels=500000000,values=4e9` some.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from math import prod

from .errors import NetsurgeryError, Placed, ShapeError, Source

VARIABLE = "NETSURGERY_LIMITS"


@dataclass(frozen=True)
class Limits:
    """The limits. A model that needs more is refused by name, with what lifts the limit."""

    values: int = (1 << 31) - 1
    """Of one blob, or one constant: Caffe counts them in an int."""

    fields: int = 4_000_000
    """Of a prototxt: a tree of that many takes half a gigabyte. Nets of a hundred thousand layers have a tenth."""

    unpacked: int = 1 << 29
    """Bytes that a packed file (.npz) may give, if that is more than `ratio` times its size."""

    ratio: int = 10
    """How many times its size a packed file may give."""

    pixels: int = 89_478_485
    """Of one image: from there on Pillow warns of bombs, too."""

    download: int = 256 << 20
    """Bytes of one file that a URL gives."""

    seconds: int = 60
    """For one file that a URL gives."""

    def unpacked_from(self, size: int) -> int:
        """Bytes that a packed file of `size` bytes may give."""
        return max(self.unpacked, self.ratio * size)


def limits() -> Limits:
    """The limits that hold, as the environment says. Raises: NetsurgeryError for words that are no limits."""
    return _read(os.environ.get(VARIABLE, ""))


def require_values(
    shape: Sequence[object],
    what: str,
    *,
    layer: str | Placed = "",
    source: Source | None = None,
    error: type[NetsurgeryError] = ShapeError,
) -> None:
    """Raises: `error` where an array of this shape would hold more values than one may, whatever its sizes are that are not known."""
    limit = limits().values
    if prod([n for n in shape if isinstance(n, int)]) > limit:
        raise error(
            f"{what} of shape {show_shape(shape)}",
            layer=layer,
            source=source,
            expected=f"at most {limit} values",
            fix=lift("values"),
        )


def show_size(n: object) -> str:
    """A size of a shape; Python shows no number of thousands of digits."""
    if not isinstance(n, int):
        return "?"
    return str(n) if abs(n) < 1 << 64 else f"2^{n.bit_length() - 1}"


def show_shape(shape: Sequence[object]) -> str:
    """For errors: 96x3x11x11."""
    return "x".join(map(show_size, shape)) or "scalar"


def show_shapes(shapes: Iterable[Sequence[object]]) -> str:
    """For errors: 96x3x11x11, 96."""
    return ", ".join(map(show_shape, shapes)) or "none"


def lift(name: str) -> str:
    """What to do where a limit is too low."""
    return f"{VARIABLE}={name}=NUMBER in the environment sets another limit, {VARIABLE}=off sets none"


@cache
def _read(text: str) -> Limits:
    names = [f.name for f in fields(Limits)]
    if text == "off":
        return Limits(**dict.fromkeys(names, sys.maxsize))
    words: dict[str, int] = {}
    for word in filter(None, map(str.strip, text.split(","))):
        name, _, number = word.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = 0
        if name not in names or not 1 <= value <= sys.maxsize:
            raise NetsurgeryError(
                f"{VARIABLE} says '{word}'", expected=f"off, or NAME=NUMBER with one of: {', '.join(names)}"
            )
        words[name] = int(value)
    return Limits(**words)
