"""The default boxes of each cell: how SSD and its descendants choose them. The arithmetic on them is in priorbox.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core import Array, Params

DENSER_OFFSET = 1.0
"""Where TextBoxes++ puts its second row of boxes, in cells."""


@dataclass(frozen=True)
class Priors:
    """K boxes: their sizes (K, 2) as (w, h), where in the cell they are, in cells (K, 2), and moved by how many pixels (K, 2). `bounded`:
    their left and upper sides are not below 0, the others not above 1, whatever `clip` says."""

    sizes: Array
    offsets: Array
    shifts: Array
    bounded: bool = False


def _priors(boxes: Sequence[tuple[float, ...]], bounded: bool = False) -> Priors:
    """Of rows (w, h, x offset, y offset, x shift, y shift)."""
    table = np.array(boxes, np.float64).reshape(-1, 6)
    return Priors(table[:, :2].astype(np.float32).astype(np.float64), table[:, 2:4], table[:, 4:], bounded)


def read_priors(q: Params) -> Priors:
    """Those of prior_box_param, in the order of the top.

    SSD: for each min_size m (a whole number, fractions are cut off) with its max_size M (m, m), (sqrt(m M), sqrt(m M)), then
    (m sqrt(r), m / sqrt(r)) for each aspect ratio r other than 1, with `flip` also for 1 / r. TextBoxes++'s denser_prior_boxes: behind
    each box the same at the cell's lower edge.

    Raises: UnsupportedError.
    """
    mins, maxs = positive(q, "min_size"), positive(q, "max_size")
    if not mins:
        raise q.refuse("min_size", f"min_size is {list(mins)}", expected="one or more positive numbers")
    if maxs and (len(maxs) != len(mins) or not all(a < b for a, b in zip(mins, maxs, strict=True))):
        raise q.refuse("max_size", f"max_size is {list(maxs)}", expected=f"one above each min_size of {list(mins)}")
    ratios = aspect_ratios(q)[1:]
    boxes: list[tuple[float, float]] = []
    for i, m in enumerate(int(m) for m in mins):
        boxes.append((m, m))
        if maxs:
            boxes.append((np.sqrt(m * int(maxs[i])),) * 2)
        boxes += [(m * np.sqrt(r), m / np.sqrt(r)) for r in ratios]
    offset = q.get_float("offset")
    rows = [(offset, offset), (offset, DENSER_OFFSET)] if q.get_bool("denser_prior_boxes") else [(offset, offset)]
    return _priors([(*box, *at, 0, 0) for box in boxes for at in rows])


def read_offset_priors(q: Params) -> Priors:
    """tl_ssd's: for each offset_w, offset_h, min_size m and aspect ratio r a box (m sqrt(r), m / sqrt(r)).

    Raises: UnsupportedError."""
    mins, ratios = positive(q, "min_size"), aspect_ratios(q, first=())
    q.ignore("max_size", why="the fork checks how many there are and does not use them")
    q.ignore("offset", why="the fork has offset_w and offset_h in its place")
    across, down = q.get_floats("offset_w"), q.get_floats("offset_h")
    if not mins or not ratios or not across or not down:
        problem = f"{len(mins)} min_size, {len(ratios)} aspect_ratio, {len(across)} offset_w, {len(down)} offset_h"
        raise q.refuse("offset_w", problem, expected="one or more of each: else there are no boxes")
    if any(abs(r - 1) < 1e-6 for r in ratios):
        problem = "an aspect_ratio is 1, whose boxes the fork counts and does not write"
        raise q.refuse("aspect_ratio", problem, expected="ratios other than 1")
    if not all(0 <= t <= 1 for t in (*across, *down)):
        raise q.refuse("offset_w", "an offset is not in the cell", expected="numbers from 0 to 1")
    sizes = [(int(m) * np.sqrt(r), int(m) / np.sqrt(r)) for m in mins for r in ratios]
    return _priors([(*size, x, y, 0, 0) for x in across for y in down for size in sizes])


MAX_DENSITY = 100
"""A hundred times a hundred boxes of one size at each place; FaceBoxes has 4 times 4."""


def read_dense_priors(q: Params) -> Priors:
    """FaceBoxes's: for each fixed_size s with its density d, d x d boxes, row by row, floor(s / d) apart and the first half of that behind
    the cell's place less s // 2; squares first, then those of each other aspect ratio; with one fixed_ratio those of it alone.

    Raises: UnsupportedError."""
    fixed, density, single = positive(q, "fixed_size"), positive(q, "density"), q.get_floats("fixed_ratio")
    ratios, offset = aspect_ratios(q), q.get_float("offset")
    for name in ("min_size", "max_size"):
        if q.has(name):
            raise q.refuse(
                name, f"{name} together with fixed_size, whose boxes the fork does not count", expected="one of the two"
            )
    if len(density) != len(fixed) or any(not 1 <= d <= MAX_DENSITY for d in density):
        expected = f"one for each fixed_size of {list(fixed)}, from 1 to {MAX_DENSITY}"
        raise q.refuse("density", f"density is {list(density)}", expected=expected)
    if len(single) > 1 or (single and (len(ratios) > 1 or single[0] <= 0)):
        problem = f"fixed_ratio is {list(single)}"
        raise q.refuse(
            "fixed_ratio", problem, expected="a single one, without aspect_ratio: of more the fork writes past its blob"
        )
    boxes = []
    for s, d in zip(fixed, (int(d) for d in density), strict=True):
        step, size = int(s / d), int(s)
        places = [step / 2 + i * step - size // 2 for i in range(d)]
        sides = [(size, size)] if not single else []
        sides += [(s * np.sqrt(r), s / np.sqrt(r)) for r in (single or ratios[1:])]
        boxes += [(*side, offset, offset, x, y) for side in sides for y in places for x in places]
    return _priors(boxes, bounded=True)


def read_clustered_priors(q: Params) -> Priors:
    """Those of widths and heights one by one. Raises: UnsupportedError."""
    wide, high, offset = positive(q, "width"), positive(q, "height"), q.get_float("offset")
    if not wide or len(wide) != len(high):
        raise q.refuse("width", f"{len(wide)} width, {len(high)} height", expected="one or more, as many of each")
    return _priors([(w, h, offset, offset, 0, 0) for w, h in zip(wide, high, strict=True)])


def read_pair(q: Params, name: str, both: str) -> tuple[float, float] | None:
    """(w, h) from name_w and name_h or from one field for both; None where neither is set."""
    sides = [(n, q.get_float(n)) for n in (f"{name}_w", f"{name}_h") if q.has(n)]
    pairs = sides or ([(both, q.get_float(both))] if q.has(both) else [])
    if sides and q.has(both):
        raise q.refuse(both, f"{both} together with {sides[0][0]}", expected="one of the two")
    if len(sides) == 1 or any(v <= 0 for _, v in pairs):
        raise q.refuse(
            pairs[0][0],
            ", ".join(f"{n} is {v:g}" for n, v in pairs),
            expected=f"a positive {both}, or positive {name}_h and {name}_w",
        )
    return (pairs[0][1], pairs[-1][1]) if pairs else None


def positive(q: Params, name: str) -> tuple[float, ...]:
    """The numbers of a field. Raises: UnsupportedError unless all are positive."""
    values = q.get_floats(name)
    if not all(0 < v < 2**31 for v in values):
        raise q.refuse(name, f"{name} is {list(values)}", expected="one or more positive numbers")
    return values


def aspect_ratios(q: Params, first: tuple[float, ...] = (1,)) -> list[float]:
    """`first`, then the aspect ratios, each once, and with `flip` its inverse (inverses are not compared, as in Caffe).

    Raises: UnsupportedError."""
    listed = [np.float32(r) for r in first]
    for r in np.array(positive(q, "aspect_ratio"), np.float32):
        if all(abs(float(r) - float(other)) >= 1e-6 for other in listed):
            listed += [r, np.float32(1 / float(r))] if q.get_bool("flip") else [r]
    q.ignore("flip", why="read with the ratios")
    return [float(r) for r in listed]
