"""Reports as Markdown, for the summary page of a GitHub workflow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import NetsurgeryError, Source
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
            report.name,
            f"{SIGNS.get(report.verdict, '⚠️')} {report.verdict}",
            f"{worst.measure.max_rel:.1g}" if worst else "",
            f"`{first.blob}`, layer {first.layer}" if first else "",
            str(len(report.cases)),
        )
        rows.append(f"| {' | '.join(map(_cell, cells))} |")
    for report in reports:
        first = report.first_difference
        if not report.passed:
            said = report.error.splitlines() if report.error else difference(first) if first else [report.sentence]
            rows += ["", f"**{_cell(report.name)}**", "", "```", *said, "```"]
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
    return text.replace("|", "\\|").replace("\n", " ")
