"""How far the positions of a layer's top look into its bottom, along one axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

Number = int | Fraction


@dataclass(frozen=True, slots=True)
class Reach:
    """Top position t sees the bottom's positions from stride * t + first to stride * t + last: all whole numbers in between, or those
    that are a multiple of `step` from the first.

    `first` and `last` None: it sees the whole axis. `stride` None, too: the top has no positions along the axis.
    """

    stride: Number | None
    first: Number | None
    last: Number | None
    step: Number | None = None

    def of(self, bottom: Reach) -> Reach:
        """The reach into what `bottom` looks at, of a top that looks at `bottom`'s positions as this one says."""
        if self.stride is None or bottom.stride is None:
            return NOWHERE
        if self.first is None or bottom.first is None or self.last is None or bottom.last is None:
            return Reach(bottom.stride * self.stride, None, None)
        return Reach(
            bottom.stride * self.stride,
            bottom.stride * self.first + bottom.first,
            bottom.stride * self.last + bottom.last,
        )

    def seen(self, positions: Iterable[int]) -> set[int] | None:
        """The bottom's positions that these of the top see, padding included; None for the whole axis."""
        if self.stride is None or self.first is None or self.last is None:
            return None
        below: set[int] = set()
        for t in positions:
            first, last = self.stride * t + self.first, self.stride * t + self.last
            if self.step is None:
                below.update(range(ceil(first), floor(last) + 1))
            else:
                places = (first + k * self.step for k in range(floor((last - first) / Fraction(self.step)) + 1))
                below.update(int(n) for n in places if n == int(n))
        return below

    @property
    def whole(self) -> bool:
        """Whether it sees the whole axis."""
        return self.first is None

    @property
    def even(self) -> bool:
        """Whether all positions see windows of one size: all its numbers are whole."""
        return all(n is None or Fraction(n).denominator == 1 for n in (self.stride, self.first, self.last))


SAME = Reach(1, 0, 0)
"""Each position sees the one at its place."""

WHOLE = Reach(1, None, None)
"""Each position sees the whole axis."""

NOWHERE = Reach(None, None, None)
"""There are no positions: the top sees the whole axis."""


def window(extent: int, stride: int, pad: int, dilation: int = 1) -> Reach:
    """A window that slides: t sees stride * t - pad .. stride * t - pad + extent - 1, every dilation-th of them."""
    return Reach(stride, -pad, extent - 1 - pad, None if dilation == 1 else dilation)


def spread(extent: int, stride: int, pad: int, dilation: int = 1) -> Reach:
    """A window of the top into which each position of the bottom spreads: j reaches stride * j - pad .. + extent - 1, every dilation-th
    of them."""
    step = None if dilation == 1 else Fraction(dilation, stride)
    return Reach(Fraction(1, stride), Fraction(pad - extent + 1, stride), Fraction(pad, stride), step)
