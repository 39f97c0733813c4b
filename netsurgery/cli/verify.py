"""netsurgery verify"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Cache, Caffe2Python, Jobs, Manifest, Quiet
from .printing import EXIT_BAD_INPUT, EXIT_DIFFER, note, progress

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..formats.options import Reading
    from ..passes.options import Surgery
    from ..verification.options import Comparing, Inputs
    from ..verification.reports.report import Report


def verify(
    inputs: Inputs,
    comparing: Comparing,
    surgery: Surgery,
    reading: Reading,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="NET [WEIGHTS] MODEL",
            help="deploy.prototxt weights.caffemodel model.onnx; the model may also be a second prototxt and caffemodel, or a "
            "folder of NetDefs.",
            show_default=False,
        ),
    ] = None,
    manifest: Manifest = None,
    jobs: Jobs = 1,
    cache: Cache = None,
    caffe2_python: Caffe2Python = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every blob.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option(help="Write JSON; - prints it.", show_default=False)] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to look at.", show_default=False)] = None,
    quiet: Quiet = False,
) -> None:
    """Prove that a converted model still computes what Caffe computed. No Caffe is needed.

    Exit code: 0 it agrees, 1 it differs, 2 it could not be compared.

    Example: netsurgery verify deploy.prototxt weights.caffemodel model.onnx --html report.html
    """
    from ..errors import NetsurgeryError
    from ..verification.cache import report_of
    from ..verification.files import Task, sort_files

    if manifest is not None:
        if files:
            raise NetsurgeryError(f"--manifest and files: {files[0]}", expected="one of the two")
        reports = list(_each(manifest, jobs, cache, reading.plugins, quiet or json == Path("-")))
    else:
        pair = sort_files(files or ())
        reports = [report_of(Task(pair.model.name, pair, reading, surgery, inputs, comparing), cache)]
    finish(reports, junit, json, html, verbose, quiet)


def finish(
    reports: Sequence[Report],
    junit: Path | None = None,
    json: Path | None = None,
    html: Path | None = None,
    verbose: bool = False,
    quiet: bool = False,
) -> None:
    """Prints and writes reports. Raises: typer.Exit where they are not all in agreement."""
    from ..verification.reports.markdown import append_summary, headline
    from ..verification.reports.output import exit_code, write_reports
    from ..verification.reports.text import lines, verdict

    to_stdout = json == Path("-")
    for report in reports:
        if report.error:
            note(f"error: {report.name} could not be compared: {report.error}")
        elif not quiet and not to_stdout:
            short = len(reports) > 1 and report.passed and not verbose
            for line in [verdict(report)] if short else lines(report, verbose):
                typer.echo(coloured(line) if line == verdict(report) else line)
    if len(reports) > 1 and not quiet and not to_stdout:
        typer.echo(headline(reports))
    if to_stdout:
        from ..verification.reports.output import to_json

        typer.echo(to_json(reports), nl=False)
    write_reports(reports, junit=junit, json=None if to_stdout else json, html=html)
    append_summary(reports)
    code = exit_code(reports)
    if code:
        raise typer.Exit({1: EXIT_DIFFER, 2: EXIT_BAD_INPUT}[code])


def coloured(verdict: str) -> str:
    """A verdict in green, red or yellow where a person reads it; NO_COLOR turns that off."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return verdict
    colour = "red" if "DIFFERS" in verdict else "green" if ": agrees with " in verdict else "yellow"
    return typer.style(verdict, fg=colour, bold=True)


def _each(manifest: Path, jobs: int, cache: Path | None, plugins: Sequence[str], quiet: bool) -> Iterator[Report]:
    """The reports of a manifest, in its order, with progress."""
    from ..formats.manifest import read_manifest
    from ..verification.many import verify_models

    models = read_manifest(manifest)
    done = []
    with progress(quiet) as bar:
        task = bar.add_task("comparing", total=len(models))
        for report in verify_models(models, jobs, plugins, cache):
            done.append(report)
            bar.advance(task)
            note(f"[{len(done)}/{len(models)}] {report.name}: {report.verdict} ({report.seconds:.1f} s)", quiet)
    order = [model.name for model in models]
    yield from sorted(done, key=lambda report: order.index(report.name))
