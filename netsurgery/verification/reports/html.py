"""Reports as one page of HTML that needs nothing else: no network, no script. Made for phones as well."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ...html_table import escape
from .chart import chart
from .markdown import headline
from .text import HEADINGS, cells, summary
from .values import AGREE, DIFFER

if TYPE_CHECKING:
    from .case import Case, Comparison
    from .report import Report

MANY = 60
"""Blobs from which on a model's chart is folded away at first, if the model agrees."""

_CLASSES = {AGREE: "agree", DIFFER: "differ"}

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5d6778; --page: #f6f7f9; --card: #fff; --line: #dfe3ea;
  --agree: #17753c; --agree-bg: #e2f4e8; --differ: #b3261e; --differ-bg: #fde9e7; --broken: #8a5a00; --broken-bg: #fff2d6;
  --dot: #2f6fde; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b8; --page: #12161d; --card: #1b212b; --line: #313a48;
  --agree: #6fd694; --agree-bg: #14321f; --differ: #ff8f86; --differ-bg: #431a18; --broken: #f3c262; --broken-bg: #3a2c0b;
  --dot: #78a9ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 90rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1rem; font-weight: 600; color: var(--soft); margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; }
section, .verdict { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: 0 0 1rem; }
.verdict { font-size: 1.4rem; font-weight: 700; line-height: 1.3; }
.agree { color: var(--agree); } .differ { color: var(--differ); } .broken { color: var(--broken); }
.verdict.agree { background: var(--agree-bg); border-color: var(--agree); }
.verdict.differ { background: var(--differ-bg); border-color: var(--differ); }
.verdict.broken { background: var(--broken-bg); border-color: var(--broken); }
.tag { font-weight: 600; white-space: nowrap; }
.first { border-left: 4px solid var(--differ); background: var(--differ-bg); padding: .5rem .75rem; overflow-wrap: anywhere; }
.first.broken { border-color: var(--broken); background: var(--broken-bg); color: var(--ink); white-space: pre-wrap; }
.soft { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
.models td:first-child { overflow-wrap: anywhere; min-width: 6rem; }
.blobs td, .blobs th { white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.off td { background: var(--differ-bg); }
a { color: inherit; }
summary { cursor: pointer; padding: .4rem 0; overflow-wrap: anywhere; }
.chart { display: block; font-size: 12px; font-family: system-ui, sans-serif; }
.chart text { fill: var(--ink); } .chart .tick { fill: var(--soft); font-size: 11px; } .chart tspan { font-size: 9px; }
.chart .short { display: none; }
.chart .grid { stroke: var(--line); } .chart .limit { stroke: var(--differ); stroke-width: 1.5; stroke-dasharray: 5 4; }
.chart .limit-name { fill: var(--differ); font-size: 11px; }
.chart rect.off { fill: var(--differ-bg); }
.chart .good { fill: var(--dot); fill-opacity: .55; } .chart .bad { fill: var(--differ); }
.chart .advisory { fill: var(--soft); fill-opacity: .5; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; font-size: .85rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
@media (max-width: 30rem) { .models .tag { white-space: normal; }
  main { padding: .6rem; } section, .verdict { padding: .75rem; }
  .models thead { display: none; } .models tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .models td { display: flex; gap: .6rem; border: 0; padding: .1rem 0; overflow-wrap: anywhere; }
  .models td::before { content: attr(data-head); flex: 0 0 7rem; color: var(--soft); font-weight: 400; }
  .models td:empty { display: none; } .chart .name { display: none; } .chart .short { display: inline; font-size: 11px; }
  dl { display: block; } dd { margin-bottom: .3rem; } }
"""


def to_html(reports: Sequence[Report]) -> str:
    """The page: verdict, table of models, for each model the first blob that is off, a chart of errors and all numbers; versions."""
    verdict = AGREE if all(r.passed for r in reports) else DIFFER if any(r.verdict == DIFFER for r in reports) else ""
    text = headline(reports)
    reports = sorted(reports, key=lambda r: (r.verdict != DIFFER, r.passed))  # what is wrong comes first
    body = [
        "<h1>netsurgery verify</h1>",
        f'<p class="verdict {_class(verdict)}" id="verdict">{escape(text)}</p>',
        _models(reports),
        *(_model(report, i) for i, report in enumerate(reports)),
        _environment(reports),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f'<link rel="icon" href="data:,">\n<title>netsurgery verify: {escape(text)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n" + "\n".join(body) + "\n</main>\n</body>\n</html>\n"
    )


def _class(verdict: str) -> str:
    return _CLASSES.get(verdict, "broken")


def _models(reports: Sequence[Report]) -> str:
    rows = []
    for i, report in enumerate(reports):
        worst, first = report.worst, report.first_difference
        texts = (
            f'<a href="#model-{i}">{escape(report.name)}</a>',
            escape(report.verdict),
            f"{worst.measure.max_rel:.1g}" if worst else "",
            escape(first.blob) if first else "",
            escape(", ".join(report.vouchers)),
            str(len(report.cases)),
            f"{report.seconds:.1f} s",
        )
        classes = {1: f' class="tag {_class(report.verdict)}"'}
        cells = "".join(
            f'<td{classes.get(k, "")} data-head="{head}">{text}</td>'
            for k, (head, text) in enumerate(zip(MODEL_HEADS, texts, strict=True))
        )
        rows.append(f"<tr>{cells}</tr>")
    heads = "".join(f"<th>{head}</th>" for head in MODEL_HEADS)
    return f'<section class="wide"><table class="models"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></section>'


MODEL_HEADS = ("model", "verdict", "worst error", "first off", "by", "inputs", "time")


def _model(report: Report, number: int) -> str:
    parts = [
        f'<section id="model-{number}"><h2>{escape(report.name)} '
        f'<span class="tag {_class(report.verdict)}">{escape(report.verdict)}</span></h2>',
        f'<p class="soft">{escape(report.model)}{f" in {escape(report.runtime)}" if report.runtime else ""}, '
        f"held against {escape(report.net)}, within {report.tolerance.rtol:g} of each blob's largest value</p>",
    ]
    if report.error:
        lines = "\n".join(map(escape, report.error.splitlines()))
        parts.append(f'<p class="first broken">{lines}</p>')
    else:
        parts.append(f"<p>{escape(report.sentence)}</p>")
    first, case = report.first_difference, report.first_case
    if first is not None and case is not None:
        parts.append(_first(first, case))
    drawing = chart(report)
    if drawing:
        count = max(len(case.comparisons) for case in report.cases)
        is_open = " open" if count <= MANY or first is not None else ""
        parts.append(
            f"<details{is_open}><summary>Relative error of {count} blobs, in the order of the net</summary>{drawing}</details>"
        )
    parts += map(_case, report.cases)
    parts += _list([*report.notes, *(f"made from {kind} {said}" for kind, said in report.sources.items())])
    return "".join([*parts, "</section>"])


def _first(first: Comparison, case: Case) -> str:
    place = f"{first.source}: " if str(first.source) else ""
    remark = f"<br>{escape(first.remark)}" if first.remark else ""
    return (
        f'<p class="first"><b>First difference: {escape(first.blob)}</b><br>{escape(place)}layer {escape(first.layer)}<br>'
        f"{escape(first.problem)}{remark}<br><span class=soft>{escape(case.title)}, against {escape(case.against)}</span></p>"
    )


def _case(case: Case) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADINGS)
    rows = "".join(
        f"<tr{'' if c.passed else ' class=off'}>{''.join(f'<td>{escape(cell)}</td>' for cell in cells(c))}</tr>"
        for c in case.comparisons
    )
    skipped = "".join(_list(f"{blob}: {why}" for blob, why in case.not_compared.items()))
    more = (
        f"<details><summary>{len(case.not_compared)} blobs not compared</summary>{skipped}</details>" if skipped else ""
    )
    return (
        f"<details><summary>{escape(summary(case))}</summary>"
        f'<div class="wide"><table class="blobs"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}</details>'
    )


def _list(lines: Iterable[str]) -> list[str]:
    return [f'<p class="soft">{escape(line)}</p>' for line in lines]


def _environment(reports: Sequence[Report]) -> str:
    versions = {name: value for report in reports for name, value in report.versions.items()}
    entries = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in versions.items())
    hashes = "".join(
        f"<dt>{escape(report.name)}: {escape(kind)}</dt><dd>sha256 {escape(value)}</dd>"
        for report in reports
        for kind, value in report.hashes.items()
    )
    return f"<section><h2>Environment</h2><dl>{entries}{hashes}</dl></section>"
