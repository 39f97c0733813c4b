"""Reports as JUnit XML: a testsuite for each model, a testcase for each set of inputs and opinion.

Two schemas are in use, Ant's and Jenkins's; what is written here is valid by both.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ...shown import visible
from .text import around, difference, summary
from .values import SHOWS_NOTHING

if TYPE_CHECKING:
    from .case import Case
    from .report import Report

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def to_junit(reports: Sequence[Report]) -> bytes:
    """The reports as a JUnit file, UTF-8. What differs is a failure whose message is the first blob that is off; what could not be
    compared is an error. Advisory opinions never fail: they are told in system-out."""
    root = ET.Element("testsuites")
    root.extend(_suite(report, i) for i, report in enumerate(reports))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def _suite(report: Report, number: int) -> ET.Element:
    cases = [_case(report, case) for case in report.cases]
    if report.error or not cases:
        cases.append(_broken(report, "compare", f"{report.seconds:.3f}", report.error or "nothing was compared"))
    elif report.verdict == SHOWS_NOTHING:
        cases.append(_broken(report, "shows something", "0", report.sentence))
    suite = ET.Element(
        "testsuite",
        id=str(number),
        package="netsurgery.verify",
        name=_clean(report.name),
        timestamp=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        hostname=_clean(platform.node() or "localhost"),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        time=f"{report.seconds:.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in {"model": report.model, "net": report.net, **report.versions, **_prefixed(report)}.items():
        ET.SubElement(properties, "property", name=_clean(name), value=_clean(value))
    suite.extend(cases)
    told = [*map(summary, report.cases), *map(visible, report.notes)]
    told += [visible(f"made from {kind} {said}") for kind, said in report.sources.items()]
    ET.SubElement(suite, "system-out").text = _clean("\n".join(told))
    ET.SubElement(suite, "system-err")
    return suite


def _broken(report: Report, name: str, time: str, reason: str) -> ET.Element:
    case = ET.Element("testcase", name=name, classname=_class(report), time=time)
    error = ET.SubElement(case, "error", message=_clean(reason.splitlines()[0]), type="NetsurgeryError")
    error.text = _clean(reason)
    return case


def _prefixed(report: Report) -> dict[str, str]:
    return {f"sha256 of {kind}": value for kind, value in report.hashes.items()}


def _class(report: Report) -> str:
    return _clean(f"netsurgery.verify.{report.name}")


def _case(report: Report, case: Case) -> ET.Element:
    seconds = case.seconds + case.model_seconds
    element = ET.Element(
        "testcase",
        name=_clean(f"{case.title}, against {case.against}"),
        classname=_class(report),
        time=f"{seconds:.3f}",
    )
    first = case.first_difference
    if first is not None and case in report.deciding:
        message = f"{first.blob} ({first.layer}): {first.problem}"
        failure = ET.SubElement(element, "failure", message=_clean(message), type="MismatchError")
        failure.text = _clean("\n".join([*difference(first), *around(case, first)]))
    return element


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
