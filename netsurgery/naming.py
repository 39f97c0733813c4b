"""Names of layers and blobs: versions of a blob, free names, and the one that was meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from .kind import Layer


def base_name(blob: str, writer: Layer) -> str:
    """The name without the version: `conv1@relu1`, written by relu1, is a version of `conv1`."""
    return (blob.rstrip("'").removesuffix(f"@{writer.name}") or blob) if "@" in blob else blob


def renamed_version(blob: str, writer: Layer, name: str, blobs: Mapping[str, str]) -> str:
    """`conv1@relu1` when its blob and its writer are renamed, the latter to `name`."""
    base = base_name(blob, writer)
    if base == blob:
        return blob
    quotes = blob[len(blob.rstrip("'")) :]
    return f"{blobs.get(base, base)}@{name}{quotes}"


def free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "'"
    return name


def closest(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), n=1)
    return f"did you mean '{near[0]}'?" if near else ""


def as_names(value: str | Iterable[str]) -> tuple[str, ...]:
    """Names that a user gave: a string is one name."""
    return (value,) if isinstance(value, str) else tuple(value)
