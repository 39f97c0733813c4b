"""Reports as Markdown, for the summary page of a GitHub workflow."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import NetsurgeryError, Source, visible
from .text import difference
from .values import AGREE, DIFFER, SHOWS_NOTHING

if TYPE_CHECKING:
    from .report import Report

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file to append to."""

SIGNS = {AGREE: "✅", DIFFER: "❌"}


def headline(reports: Sequence[Report]) -> str:
    """The verdict on all models, in one line."""
    total = len(reports)
    agree = sum(report.passed for report in reports)
    differ = sum(report.verdict == DIFFER for report in reports)
    if total == 1:
        return f"the model {reports[0].verdict}"
    parts = [f"{agree} of {total} models agree{'s' if agree == 1 else ''}"]
    if differ:
        parts.append(f"{differ} differ{'s' if differ == 1 else ''}")
    if still := sum(report.verdict == SHOWS_NOTHING for report in reports):
        parts.append(f"{still} show{'s' if still == 1 else ''} nothing")
    if broken := total - agree - differ - still:
        parts.append(f"{broken} could not be compared")
    return ", ".join(parts)


def to_markdown(reports: Sequence[Report]) -> str:
    """A table of models and, for each that is not right, why."""
    rows = [
        f"## netsurgery verify: {headline(reports)}",
        "",
        "| model | verdict | worst error | first difference | inputs compared |",
        "|---|---|---|---|---|",
    ]
    for report in reports:
        worst, first = report.worst, report.first_difference
        cells = (
            _cell(report.name),
            f"{SIGNS.get(report.verdict, '⚠️')} {report.verdict}",
            f"{worst.measure.max_rel:.1g}" if worst else "",
            f"{_code(first.blob)}, layer {_cell(first.layer)}" if first else "",
            str(len(report.cases)),
        )
        rows.append(f"| {' | '.join(cells)} |")
    for report in reports:
        first = report.first_difference
        if not report.passed:
            said = report.error.splitlines() if report.error else difference(first) if first else [report.sentence]
            fence = _fence("\n".join(said))
            rows += ["", f"**{_cell(report.name)}**", "", fence, *map(visible, said), fence]
    return "\n".join(rows) + "\n"


def append_summary(reports: Sequence[Report]) -> bool:
    """Appends to the workflow's summary, if there is one; whether there is. Raises: NetsurgeryError if it cannot be written."""
    path = os.environ.get(SUMMARY)
    if not path:
        return False
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(to_markdown(reports))
    except OSError as error:
        raise NetsurgeryError(f"cannot be written: {error.strerror}", source=Source(path)) from None
    return True


def _cell(text: str) -> str:
    """Text as it is: nothing in it ends a cell, or is read as a link, a tag or code."""
    return re.sub(r"[\\`*\[\]<>|~#]", r"\\\g<0>", visible(text))


def _code(text: str) -> str:
    """Text as code, between more backticks than it holds in a row; in a table a bar ends a cell even there."""
    shown, ticks = visible(text).replace("|", "\\|"), _fence(text, least=1)
    space = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{ticks}{space}{shown}{space}{ticks}"


def _fence(text: str, least: int = 3) -> str:
    """More backticks than the text holds in a row."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
