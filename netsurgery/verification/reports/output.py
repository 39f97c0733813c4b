"""Reports as files, and as an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...files.output import replacing
from ...shown import to_json as as_json
from .html import to_html
from .junit import to_junit
from .markdown import headline
from .values import DIFFER

if TYPE_CHECKING:
    from .report import Report


def to_json(reports: Sequence[Report]) -> str:
    """All reports as one JSON document."""
    document = {
        "verdict": headline(reports),
        "passed": exit_code(reports) == 0,
        "models": [report.to_json() for report in reports],
    }
    return as_json(document, indent=2) + "\n"


def write_reports(
    reports: Sequence[Report], *, junit: Path | None = None, json: Path | None = None, html: Path | None = None
) -> None:
    """Writes the files that are asked for. Raises: NetsurgeryError if one cannot be written."""
    for path, content in ((junit, to_junit), (json, to_json), (html, to_html)):
        if path is not None:
            page = content(reports)
            with replacing(path) as file:
                file.write(page if isinstance(page, bytes) else page.encode())


def exit_code(reports: Sequence[Report]) -> int:
    """0 if all agree, 1 if one differs, 2 if one could not be compared (and none differs)."""
    if all(report.passed for report in reports) and reports:
        return 0
    return 1 if any(report.verdict == DIFFER for report in reports) else 2
