"""Names of layers and blobs: versions of a blob, free names, and the one that was meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, MutableMapping
from difflib import get_close_matches

from .kind import Layer

_MARK = re.compile(r"(?:'+\d*)?")
"""What `free` puts behind a version's name."""


def base_name(blob: str, writer: Layer) -> str:
    """The name without the version: `conv1@relu1`, written by relu1, is a version of `conv1`."""
    base, _, mark = blob.rpartition(f"@{writer.name}")
    return base if base and _MARK.fullmatch(mark) else blob


def renamed_version(blob: str, writer: Layer, name: str, blobs: Mapping[str, str]) -> str:
    """`conv1@relu1` when its blob and its writer are renamed, the latter to `name`."""
    base = base_name(blob, writer)
    if base == blob:
        return blob
    mark = blob[len(base) + 1 + len(writer.name) :]
    return f"{blobs.get(base, base)}@{name}{mark}"


def free(name: str, taken: Collection[str], count: MutableMapping[str, int] | None = None, sign: str = "'") -> str:
    """The name, with a mark behind it if it is taken: ', '', ''', '4, '5 ... `count` keeps from call to call how far each name has come:
    for many of one name they are not tried from the first again."""
    number = 0 if count is None else count.get(name, 0)
    while (own := name + (sign * number if number < 4 else f"{sign}{number}")) in taken:
        number += 1
    if count is not None:
        count[name] = number
    return own


def closest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def as_names(value: str | Iterable[str]) -> tuple[str, ...]:
    """Names that a user gave: a string is one name."""
    return (value,) if isinstance(value, str) else tuple(value)
