"""The sizes of input axes, of which some turn out to be equal, and some to be numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .dims import Axis, Size, axis


@dataclass(eq=False)
class _Group:
    """Axes that are equal, the first of them in the order of the inputs, and their size."""

    members: list[Axis]
    first: Axis
    size: Size


class Axes(Mapping[Axis, Size]):
    """The size of every input axis: a number, or the Dim of the first of the axes that are equal to it. However many axes there are,
    each changes its group a few times only: the smaller group joins the larger one."""

    def __init__(self, sizes: Mapping[Axis, Size]) -> None:
        self._place = {a: i for i, a in enumerate(sizes)}
        self._groups = {a: _Group([a], a, size) for a, size in sizes.items()}

    def __getitem__(self, a: Axis) -> Size:
        return self._groups[a].size

    def __iter__(self) -> Iterator[Axis]:
        return iter(self._groups)

    def __len__(self) -> int:
        return len(self._groups)

    def join(self, a: Axis, b: Axis) -> None:
        """Makes two free axes equal."""
        small, large = sorted((self._groups[a], self._groups[b]), key=lambda group: len(group.members))
        large.first = min(small.first, large.first, key=self._place.__getitem__)
        large.size = axis(*large.first)
        large.members += small.members
        self._groups.update(dict.fromkeys(small.members, large))

    def fix(self, a: Axis, size: int) -> list[Axis]:
        """Gives an axis a number, and those that are equal to it: all of them."""
        group = self._groups[a]
        group.size = size
        return group.members

    def equal(self) -> dict[Axis, Axis]:
        """For each axis that is equal to an earlier one, the first of those."""
        return {a: group.first for a, group in self._groups.items() if a != group.first}
