"""Two arrays that should hold the same numbers: how far apart they are, where, and whether that is within tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .options import Comparing

Array = NDArray[Any]

RTOL = 1e-4
"""The default tolerance, as a share of a blob's largest value. Runtimes sum float32 products in orders of their own: over the longest
sums of real nets (25088 terms, VGG16's fc6) and a hundred layers that is 1e-6 to 1e-5. What a converter gets wrong is 1e-3 and more."""

FP16_RTOL, INT8_RTOL = 1e-2, 0.25
"""What a model of fewer bits may be off, as a share of a blob's largest value, before it counts as wrong: 11 bits lose some 1e-3 on the
way through a deep net, 7 bits some 5e-2."""

ATOL = 1e-9
"""What is added to it: a blob of which every value is smaller than this is 0 in any use, and its largest value no measure."""

CORNERS = 4
"""How many numbers at the end of a row say where a box is."""

BLOCK = 1 << 13
"""Numbers that are compared at a time: a few arrays of so many stay in the processor's cache."""

FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Tolerance:
    """How far apart numbers may be: `atol` + `rtol` times the largest value of the reference."""

    rtol: float = RTOL
    atol: float = ATOL

    @classmethod
    def of(cls, asked: Comparing) -> Tolerance:
        return cls(RTOL if asked.rtol is None else asked.rtol, ATOL if asked.atol is None else asked.atol)

    def limit(self, largest: float) -> float:
        return self.atol + self.rtol * largest


@dataclass(frozen=True)
class Measure:
    """How far `got` is from `expected`: `max_rel` is `max_abs` as a share of the largest value (of the column, where each is held by
    itself); `where` is the index of the worst value, None where there is none; `snr_db` is 10 log10(sum expected^2 / sum error^2)."""

    shape: tuple[int, ...]
    passed: bool
    max_abs: float = 0.0
    max_rel: float = 0.0
    where: tuple[int, ...] | None = None
    expected: float | None = None
    got: float | None = None
    cosine: float = 1.0
    snr_db: float = inf
    problem: str = ""
    """What is wrong where numbers do not say it: a shape, NaN on one side."""
    comparable: bool = True
    """Whether the two are of one shape."""
    low: float = -inf
    high: float = inf
    """The least and the greatest number of the reference."""


def measure(expected: Array, got: Array, tolerance: Tolerance = Tolerance(), columns: int | None = None) -> Measure:
    """Compares two arrays in float64. NaN and infinity agree with themselves alone. With `columns` every slice along that axis is held
    to its own largest value: labels, scores and corners differ in size."""
    if expected.shape != got.shape:
        problem = f"shape differs: {_times(got)} where the reference has {_times(expected)}"
        return Measure(got.shape, False, inf, inf, problem=problem, comparable=False)
    if not got.size:
        return Measure(got.shape, True)
    axis = None if columns is None or expected.ndim < 2 else columns % expected.ndim
    spans = [_Span.of(expected, got)] if axis is None else _columns(expected, got, axis)
    odd = [span for span in spans if span.odd is not None]
    worst = min(odd, key=lambda s: s.place(s.odd)) if odd else max(spans, key=lambda s: s.error / max(s.largest, ATOL))
    where = worst.place(worst.odd if odd else worst.worst)
    sums = [float(sum(column)) for column in zip(*(span.sums for span in spans), strict=True)]
    values = float(expected[where]), float(got[where])
    finite = all(span.finite for span in spans)
    return Measure(
        got.shape,
        not odd and all(span.error <= tolerance.limit(span.largest) for span in spans),
        inf if odd else max(span.error for span in spans),
        inf if odd else max(span.relative for span in spans),
        where,
        *values,
        _cosine(*sums[:3]),
        _decibel(sums[0], sums[3]),
        _not_finite(*values, sum(span.odd_count for span in spans)) if odd else "",
        low=min(span.low for span in spans) if finite else -inf,
        high=max(span.high for span in spans) if finite else inf,
    )


@dataclass
class _Span:
    """What two arrays of one shape are apart: gathered in blocks that stay in the processor's cache, in float64."""

    shape: tuple[int, ...]
    column: int | None = None
    axis: int = 0
    largest: float = 0.0
    low: float = inf
    high: float = -inf
    error: float = 0.0
    worst: int = 0
    """Where the greatest error is, counted through."""
    odd: int | None = None
    """The first place of NaN or infinity that only one of the two has."""
    odd_count: int = 0
    finite: bool = True
    sums: tuple[float, ...] = (0.0,) * 4

    @classmethod
    def of(cls, expected: Array, got: Array, column: int | None = None, axis: int = 0) -> _Span:
        span = cls(expected.shape, column, axis)
        flat, flat_got = expected.reshape(-1), got.reshape(-1)
        for start in range(0, flat.size, BLOCK):
            want = as_float32(flat[start : start + BLOCK].astype(np.float64))
            span._add(start, want, as_float32(flat_got[start : start + BLOCK].astype(np.float64)))
        return span

    def _add(self, start: int, want: Array, have: Array) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(have - want)
        greatest = error.max()
        if not np.isfinite(greatest):
            finite = np.isfinite(want) & np.isfinite(have)
            same = finite | (want == have) | (np.isnan(want) & np.isnan(have))
            if not same.all():
                self.odd = start + int(same.argmin()) if self.odd is None else self.odd
                self.odd_count += int((~same).sum())
            self.finite = self.finite and bool(finite.all())
            want, have = np.where(finite, want, 0), np.where(finite, have, 0)
            error = np.abs(have - want)
            greatest = error.max()
        if greatest > self.error:
            self.error, self.worst = float(greatest), start + int(error.argmax())
        self.low, self.high = min(self.low, float(want.min())), max(self.high, float(want.max()))
        self.largest = max(self.high, -self.low)
        pairs = (want, want), (have, have), (want, have), (error, error)
        self.sums = tuple(total + float(np.vdot(a, b)) for total, (a, b) in zip(self.sums, pairs, strict=True))

    @property
    def relative(self) -> float:
        """The greatest error as a share of the largest value."""
        return self.error / max(self.largest, float(np.finfo(float).tiny)) if self.error else 0.0

    def place(self, flat: int | None) -> tuple[int, ...]:
        """The index of a place in the arrays that the column was taken from."""
        at = [int(i) for i in np.unravel_index(flat or 0, self.shape)]
        return tuple(at if self.column is None else [*at[: self.axis], self.column, *at[self.axis :]])


def _columns(expected: Array, got: Array, axis: int) -> list[_Span]:
    return [_Span.of(expected.take(i, axis), got.take(i, axis), i, axis) for i in range(expected.shape[axis])]


def as_float32(array: Array) -> Array:
    """The numbers as float32 could hold them: infinite beyond its range."""
    if array.dtype != np.float64:
        return array
    beyond = np.abs(array) > FLOAT32_MAX
    return np.where(beyond, np.copysign(np.inf, array), array) if beyond.any() else array


def measure_rows(expected: Array, got: Array, tolerance: Tolerance, columns: int | None) -> Measure:
    """`measure` for tables of boxes, whose rows end in four corners: two rows may have changed places where what stands before the
    corners (image, label, score) agrees all the same, as it does in a near-tie."""
    straight = measure(expected, got, tolerance, columns)
    before = expected.shape[-1] - CORNERS if expected.ndim > 1 else 0
    if straight.passed or expected.shape != got.shape or columns != -1 or before < 1 or not got.size:
        return straight
    rows = got.reshape(-1, got.shape[-1])
    order = _assignment(expected.reshape(rows.shape), rows, tolerance)
    if order is None or not measure(expected[..., :before], got[..., :before], tolerance, columns).passed:
        return straight
    return measure(expected, rows[order].reshape(got.shape), tolerance, columns)


def _assignment(expected: Array, got: Array, tolerance: Tolerance) -> NDArray[np.int64] | None:
    """Which row of `got` is each row of `expected`, None if one has no partner."""
    limit = tolerance.atol + tolerance.rtol * np.nan_to_num(np.abs(expected)).max(axis=0)
    free = np.ones(len(got), bool)
    order = np.empty(len(expected), np.int64)
    for i, row in enumerate(expected):
        near = free & (np.abs(got - row) <= limit).all(axis=1)
        if not near.any():
            return None
        order[i] = i if near[i] else int(near.argmax())
        free[order[i]] = False
    return order


def agreement(expected: Array, got: Array, axis: int, k: int, tolerance: Tolerance) -> float:
    """The share of positions at which the `k` greatest values are those of the same classes; one that nearly ties with the k-th counts
    as well."""
    want, have = (np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]) for x in (expected, got))
    if not want.size:
        return 1.0
    least = -np.partition(-want, k - 1, axis=1)[:, k - 1]
    chosen = np.take_along_axis(want, np.argsort(-have, axis=1, kind="stable")[:, :k], axis=1)
    return float((chosen.min(axis=1) >= least - tolerance.limit(float(np.abs(want).max()))).mean())


def _cosine(aa: float, bb: float, ab: float) -> float:
    if aa == bb == 0:
        return 1.0
    return ab / (aa * bb) ** 0.5 if aa > 0 and bb > 0 and aa * bb < inf else 0.0


def _decibel(signal: float, noise: float) -> float:
    if noise == 0:
        return inf
    return 10 * log10(signal / noise) if signal > 0 else -inf


def _not_finite(expected: float, got: float, count: int) -> str:
    more = f" ({count} such values)" if count > 1 else ""
    return f"{got:g} where the reference has {expected:g}{more}"


def _times(array: Array) -> str:
    return "x".join(str(n) for n in array.shape) or "scalar"
