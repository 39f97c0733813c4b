"""Reports as plain text: lines for terminals, logs and error messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...errors import visible
from .values import decibel, index

if TYPE_CHECKING:
    from .case import Case, Comparison
    from .report import Report

HEADINGS = ("blob", "layer", "shape", "max abs", "max rel", "at", "cosine", "SNR", "by", "")


def cells(c: Comparison) -> tuple[str, ...]:
    """One blob as a row of a table."""
    m = c.measure
    verdict = "ok" if c.passed else "OFF" if m.comparable else "shape differs"
    more = {"choices": " (own bottoms)", "as it is": " (as it is)", "rounding": " (rounding)"}.get(c.rule, "")
    return (
        c.blob,
        c.layer,
        "x".join(map(str, m.shape)) or "scalar",
        *([f"{m.max_abs:.2g}", f"{m.max_rel:.2g}"] if m.comparable else ["", ""]),
        index(m.where) if m.where else "",
        *([f"{m.cosine:.7f}", decibel(m.snr_db)] if m.comparable else ["", ""]),
        c.by,
        verdict + more,
    )


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as aligned lines."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def around(case: Case, first: Comparison, before: int = 3, behind: int = 3) -> list[str]:
    """The blobs around one that is off."""
    at = case.comparisons.index(first)
    return table([HEADINGS, *(cells(c) for c in case.comparisons[max(0, at - before) : at + behind + 1])])


def summary(case: Case) -> str:
    """One line: how many blobs agree, and the worst."""
    count = len(case.comparisons)
    off = sum(not c.passed for c in case.comparisons)
    worst = case.worst
    said = f"{count - off} of {count} blobs agree" if off else f"{count} blob{'s agree' if count != 1 else ' agrees'}"
    if not off and worst is not None:
        error = worst.measure.max_rel
        at = f", the worst to {error:.1g} ('{worst.blob}', SNR {decibel(worst.measure.snr_db)})"
        said += at if error else " exactly"
    tops = "".join(f"; top-1 {t.first:.0%}, top-{t.k} {t.sets:.0%}" for t in case.top_five)
    skipped = f"; {len(case.not_compared)} not compared" if case.not_compared else ""
    advisory = " (advisory)" if case.advisory else ""
    return visible(f"{case.title}, against {case.against}{advisory}: {said}{tops}{skipped}")


def lines(report: Report, every_blob: bool = False) -> Iterator[str]:
    """The report, shortly; with `every_blob` the whole table of every case."""
    if report.error:
        yield verdict(report)
        return
    yield visible(f"{report.name}: {report.model} in {report.runtime}, net {report.net}")
    yield from (visible(f"note: {note}") for note in report.notes)
    yield from (visible(f"made from {kind} {said}") for kind, said in report.sources.items())
    for case in report.cases:
        yield summary(case)
        first = case.first_difference
        if every_blob:
            yield from _indented(table([HEADINGS, *map(cells, case.comparisons)]))
            yield from _indented(visible(f"not compared: {b}: {why}") for b, why in case.not_compared.items())
        elif first is not None:
            yield from _indented(around(case, first))
        if first is not None:
            yield from _indented(difference(first))
    yield verdict(report)


def difference(first: Comparison) -> list[str]:
    """The first blob that is off, with its layer and where that stands."""
    place = f"{first.source}: " if str(first.source) else ""
    said = [f"first difference: {place}layer {first.layer}: blob '{first.blob}': {first.problem}"]
    return [*map(visible, said + ([f"  {first.remark}"] if first.remark else []))]


def verdict(report: Report) -> str:
    """The last line."""
    name = visible(report.name)
    if report.error:
        return f"{name}: could not be compared: {report.error}"
    if report.passed:
        worst = report.worst
        error = f"worst relative error {worst.measure.max_rel:.1g}, " if worst else ""
        return f"{name}: {visible(report.sentence)} ({error}tolerance {report.tolerance.rtol:g})"
    compared = report.first_difference or report.idle
    return f"{name}: {visible(report.sentence)}" if compared else f"{name}: nothing was compared"


def _indented(rows: Iterable[str]) -> Iterator[str]:
    return (f"    {row}" for row in rows)
