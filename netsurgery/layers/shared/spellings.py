"""The many ways in which Caffe's forks spell kernel, stride, padding and dilation of each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import Params


@dataclass(frozen=True)
class Spelling:
    """How one of the four is written: `name`, once or once for each axis; name_h and name_w; a message of dims; `_3d` (Intel); or `name`
    for rows and columns and one of `lengths` for the axis before them (C3D, P3D)."""

    name: str
    stem: str
    default: int | None
    least: int = 1
    lengths: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Other names of `name`, each with _h and _w."""


KERNEL = Spelling("kernel_size", "kernel", None, lengths=("kernel_l", "kernel_depth"))
STRIDE = Spelling("stride", "stride", 1, lengths=("stride_l", "temporal_stride"))
PAD = Spelling("pad", "pad", 0, least=0, lengths=("pad_l", "temporal_pad"))
DILATION = Spelling("dilation", "dilation", 1, others=("hole", "filter_stride", "kernel_stride"))
ALL = (KERNEL, STRIDE, PAD, DILATION)
LENGTHS = tuple(name for s in ALL for name in s.lengths if name != "pad_l")
SIDES = tuple(f"{stem}_{side}" for s in ALL for stem in (s.stem, *s.others) for side in "hw")


def has_length(p: Params) -> bool:
    """Whether the axis before rows and columns has fields of its own. `pad_l` alone is Synopsys's padding on the left."""
    return any(map(p.has, LENGTHS))


def least_axes(p: Params) -> int:
    """How many spatial axes the fields speak of: two with _h and _w, else as many as one has values; one value is for any number."""
    if has_length(p):
        return 3
    if any(map(p.has, SIDES)):
        return 2
    counts = [len(_values(p, s)) for s in ALL]
    return max(1, *counts)


def read_axes(p: Params, s: Spelling, spatial: int) -> tuple[int, ...]:
    """The value of each spatial axis. Raises: UnsupportedError for values that do not go with so many axes."""
    if s.lengths and has_length(p):
        if spatial != 3:
            raise p.refuse(s.name, f"fields of three axes with {spatial} spatial axes", expected="a bottom of 5 axes")
        length = next((name for name in s.lengths if p.has(name)), "")
        sides = _sides(p, s, 2)
        first = p.get_int(length) if length else sides[0] if s.default is None else s.default
        return _checked(p, s, (first, *sides))
    return _checked(p, s, _sides(p, s, spatial))


def _values(p: Params, s: Spelling) -> tuple[int, ...]:
    """The values that are given for all axes, in whatever way."""
    if s.name != "dilation":
        shape, three = f"{s.stem}_shape", f"{s.name}_3d"
        if p.has(shape):
            return p.message(shape).get_ints("dim")
        if p.has(three):
            return p.get_ints(three)
    for other in s.others:
        if p.has(other):
            return p.get_ints(other)
    return p.get_ints(s.name)


def _sides(p: Params, s: Spelling, spatial: int) -> tuple[int, ...]:
    for stem in (s.stem, *s.others):
        h, w = f"{stem}_h", f"{stem}_w"
        if not (p.has(h) or p.has(w)):
            continue
        if spatial != 2:
            raise p.refuse(h, f"{h} and {w} with {spatial} spatial axes", expected=s.name)
        if p.has(s.name) and s.name == stem + "_size":
            raise p.refuse(s.name, f"both {s.name} and {h} or {w} are set", expected="one of the two")
        return p.get_int(h, s.default or 0), p.get_int(w, s.default or 0)
    values: Sequence[int] = _values(p, s)
    if not values and s.default is not None:
        values = (s.default,)
    if len(values) not in (1, spatial):
        raise p.refuse(
            s.name, f"{len(values)} values of {s.name}", expected=f"1, or {spatial}: one for each spatial axis"
        )
    return tuple(values) * (spatial if len(values) == 1 else 1)


def _checked(p: Params, s: Spelling, values: tuple[int, ...]) -> tuple[int, ...]:
    if any(v < s.least for v in values):
        raise p.refuse(s.name, f"{s.name} is {', '.join(map(str, values))}", expected=f"at least {s.least}")
    return values
