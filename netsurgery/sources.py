"""What a net is fed, and what it was read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


class Inputs(Mapping[str, "tuple[int, ...] | None"]):
    """Input blobs of a net in order, each with its declared shape (None where the file declares none)."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...] | None]) -> None:
        self._shapes = dict(shapes)

    def __getitem__(self, name: str) -> tuple[int, ...] | None:
        return self._shapes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def __repr__(self) -> str:
        return f"Inputs({self._shapes})"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a net was read from: how its layers were written ("V0" of 2013, "V1" of 2014, "V2"; "" for a net made in memory), whether that
    was binary, how those of the weights file were written ("HDF5", "mixed" are others), and the kinds of numbers in it ("float16")."""

    vintage: str = ""
    binary: bool = False
    weights_vintage: str = ""
    precision: tuple[str, ...] = ()
    identities: Mapping[str, tuple[int, int, int, int]] = field(default_factory=dict, compare=False, repr=False)
    """Which file each of the net's `files` was, and as of when (files.mapped)."""
