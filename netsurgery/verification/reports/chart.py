"""The error of every blob as a chart: one row each, in the order of the net, on a logarithmic scale. Inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log10
from typing import TYPE_CHECKING

from ...html_table import escape

if TYPE_CHECKING:
    from .case import Case, Comparison
    from .report import Report


LOWEST, HIGHEST = -9, 1
"""Powers of ten between which the scale runs; what is smaller, exact agreement included, stands at its left edge, what is greater or no
number at its right."""

ROW, DOT, TOP, NAME, PLOT = 20, 7, 58, 30, 66
"""Height of a row, of a further dot in it, and of the scale above, in pixels; widths of names and plot in percent (it is as wide as the
page)."""


SHORT = 17
"""Letters of a name that a phone has room for."""


def chart(report: Report) -> str:
    """The chart of a report, "" if it has no cases. A dot is a blob in one case, red where it is off; the dashed line is the tolerance."""
    blobs = list(dict.fromkeys(c.blob for case in report.cases for c in case.comparisons))
    if not blobs:
        return ""
    rows = {blob: i for i, blob in enumerate(_in_order(report.cases, blobs))}
    pitch = max(ROW, DOT * (len(report.cases) + 1))
    height = TOP + pitch * len(rows) + 8
    first = report.first_difference
    parts = [
        f'<svg class="chart" role="img" width="100%" height="{height}" aria-label="Relative error of every blob, logarithmic scale">',
        *_scale(height),
        *_tolerance(report.tolerance.rtol, height),
    ]
    for blob, i in rows.items():
        y = TOP + pitch * i
        off = first is not None and blob == first.blob
        if off:
            parts.append(f'<rect class="off" x="0" y="{y}" width="100%" height="{pitch}"/>')
        at = f'x="4" y="{pitch / 2 + 4:g}"'
        names = f'<text class="name" {at}>{escape(blob)}</text><text class="short" {at}>{escape(short(blob))}</text>'
        parts.append(
            f'<svg x="0" y="{y}" width="{NAME - 2}%" height="{pitch}"><title>{escape(blob)}</title>{names}</svg>'
        )
    for k, case in enumerate(report.cases, 1):  # each case on a line of its own within the row
        within = pitch * k / (len(report.cases) + 1)
        parts += [_dot(c, case, TOP + pitch * rows[c.blob] + within) for c in case.comparisons]
    return "".join([*parts, "</svg>"])


def _in_order(cases: Sequence[Case], blobs: Sequence[str]) -> Sequence[str]:
    """The blobs as the fullest case has them, then those that it lacks."""
    fullest = max(cases, key=lambda case: len(case.comparisons))
    return list(dict.fromkeys([*(c.blob for c in fullest.comparisons), *blobs]))


def short(name: str) -> str:
    """A name as a phone has room for it: blobs of one block differ at the end."""
    return name if len(name) <= SHORT else f"{name[: SHORT // 3]}…{name[-(SHORT - SHORT // 3 - 1) :]}"


def place(error: float) -> float:
    """Where an error stands, in percent of the chart's width."""
    power = HIGHEST if not error < inf else LOWEST if error <= 0 else min(max(log10(error), LOWEST), HIGHEST)
    return NAME + PLOT * (power - LOWEST) / (HIGHEST - LOWEST)


def _scale(height: int) -> list[str]:
    middle = NAME + PLOT / 2
    parts = [
        '<text class="tick" x="4" y="14">blob</text>',
        f'<text class="tick" x="{middle:g}%" y="14" text-anchor="middle">error, as a share of the largest value</text>',
    ]
    for power in range(LOWEST, HIGHEST + 1):
        x = f"{place(10.0**power):.2f}%"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP - 4}" y2="{height}"/>')
        if power % 2 == 0:
            parts.append(
                f'<text class="tick" x="{x}" y="46" text-anchor="middle">10<tspan dy="-4">{power}</tspan></text>'
            )
    return parts


def _tolerance(rtol: float, height: int) -> list[str]:
    x = f"{place(rtol):.2f}%"
    return [
        f'<line class="limit" x1="{x}" x2="{x}" y1="{TOP - 4}" y2="{height}"><title>tolerance {rtol:g}</title></line>',
        f'<text class="limit-name" x="{x}" y="30" text-anchor="middle">tolerance {rtol:g}</text>',
    ]


def _dot(c: Comparison, case: Case, y: float) -> str:
    kind = "bad" if not c.passed else "advisory" if case.advisory else "good"
    title = f"{c.blob}: {c.problem or f'{c.measure.max_rel:.2g}'} ({case.title}, against {case.against})"
    return (
        f'<circle class="{kind}" cx="{place(c.measure.max_rel):.2f}%" cy="{y:g}" r="{4 if kind == "bad" else 3}">'
        f"<title>{escape(title)}</title></circle>"
    )
