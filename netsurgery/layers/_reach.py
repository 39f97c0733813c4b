"""How far the positions of a layer's top look into its bottom, along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

Number = int | Fraction


@dataclass(frozen=True, slots=True)
class Reach:
    """Top position t sees the bottom's positions j with  stride * t + first <= j <= stride * t + last.

    `first` and `last` None: it sees the whole axis. `stride` None, too: the top has no positions along the axis.
    """

    stride: Number | None
    first: Number | None
    last: Number | None

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


def window(extent: int, stride: int, pad: int) -> Reach:
    """A window that slides: t sees stride * t - pad .. stride * t - pad + extent - 1."""
    return Reach(stride, -pad, extent - 1 - pad)


def spread(extent: int, stride: int, pad: int) -> Reach:
    """A window of the top into which each position of the bottom spreads: j reaches stride * j - pad .. + extent - 1."""
    return Reach(Fraction(1, stride), Fraction(pad - extent + 1, stride), Fraction(pad, stride))
