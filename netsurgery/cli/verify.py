"""netsurgery verify"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._common import (
    EXIT_BAD_INPUT,
    EXIT_DIFFER,
    Caffe2Python,
    IgnoreUnknown,
    InputShapes,
    Phase,
    Plugin,
    Quiet,
    Settings,
    Stage,
    note,
    parse_settings,
    parse_shapes,
    progress,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..verification.reports.report import Report

Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--size", metavar="HEIGHTxWIDTH", help="An image size, such as 300x420, or 227. Repeatable.", show_default=False
    ),
]
Batches = Annotated[
    list[int] | None, typer.Option("--batch", min=1, help="A number of images. Repeatable.", show_default=False)
]
Images = Annotated[
    list[Path] | None,
    typer.Option(
        "--image", help="An image, or a folder of images, in place of random ones. Repeatable.", show_default=False
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="BLOB=FILE",
        help="An array in place of random numbers: data=x.npy, data=x.npz, or x.npz. Repeatable.",
        show_default=False,
    ),
]
Ranges = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="BLOB=LOW,HIGH",
        help="What the pixels that go in lie between, such as data=0,1. Default: as the net says. Repeatable.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="The seed of random numbers.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        metavar="BLOB",
        help="A blob that counts, in place of the net's outputs. Repeatable.",
        show_default=False,
    ),
]


def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="NET [WEIGHTS] MODEL",
            help="deploy.prototxt weights.caffemodel model.onnx; the model may also be a second prototxt and caffemodel, or a "
            "folder of NetDefs.",
            show_default=False,
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A list of models in TOML: checks them all.", show_default=False)
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Models at a time; 0 for one per core.")] = 1,
    size: Sizes = None,
    batch: Batches = None,
    image: Images = None,
    given: Inputs = None,
    limits: Ranges = None,
    seed: Seed = 0,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHOM",
            help="Whose numbers are right: netsurgery, caffe, caffe2, opencv, onnx, or FILE.npz. Repeatable. Default: netsurgery.",
            show_default=False,
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            help="What runs the model: onnxruntime, netsurgery or caffe2. Default: by the model.", show_default=False
        ),
    ] = None,
    caffe2_python: Caffe2Python = None,
    output: Outputs = None,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="BLOB=NAME", help="What the model calls a blob of the net. Repeatable.", show_default=False
        ),
    ] = None,
    inner: Annotated[
        bool | None,
        typer.Option(
            "--every-blob/--outputs-only",
            help="Compare blobs between. Default: if netsurgery wrote the model.",
            show_default=False,
        ),
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option(
            min=0, help="Allowed error, as a share of a blob's largest value. Default: 1e-4.", show_default=False
        ),
    ] = None,
    atol: Annotated[
        float | None, typer.Option(min=0, help="Allowed error besides. Default: 1e-9.", show_default=False)
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every blob.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.", show_default=False)] = None,
    json: Annotated[Path | None, typer.Option(help="Write JSON; - prints it.", show_default=False)] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to look at.", show_default=False)] = None,
    fully_convolutional: Annotated[
        bool, typer.Option("--fully-convolutional", help="The model was converted so.")
    ] = False,
    only: Annotated[
        str | None, typer.Option(metavar="FC6,FC7", help="The model was converted so.", show_default=False)
    ] = None,
    sliding_pool: Annotated[bool, typer.Option("--sliding-pool", help="The model was converted so.")] = False,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="FC6=FC6-CONV", help="The model was converted so. Repeatable.", show_default=False),
    ] = None,
    detections: Annotated[str, typer.Option(help="boxes or raw: the model was converted so.")] = "boxes",
    initialize_missing: Annotated[
        bool, typer.Option("--initialize-missing", help="The model was converted so.")
    ] = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    plugin: Plugin = None,
    quiet: Quiet = False,
) -> None:
    """Prove that a converted model still computes what Caffe computed. No Caffe is needed.

    Exit code: 0 it agrees, 1 it differs, 2 it could not be compared.

    Example: netsurgery verify deploy.prototxt weights.caffemodel model.onnx --html report.html
    """
    from ..errors import NetsurgeryError
    from ..verification.files import Task, run_task, shapes_of, sort_files, without_defaults

    if manifest is not None:
        if files:
            raise NetsurgeryError(f"--manifest and files: {files[0]}", expected="one of the two")
        reports = list(_each(manifest, jobs, plugin or (), quiet or json == Path("-")))
    else:
        check = without_defaults(
            sizes=parse_sizes(size),
            batches=batch,
            shapes=() if size or batch else shapes_of(parse_shapes(input_shape)),
            images=image,
            inputs=parse_inputs(given),
            ranges=parse_ranges(limits),
            against=against,
            runtime=runtime,
            outputs=output,
            names=parse_settings(names),
            inner=inner,
            rtol=rtol,
            atol=atol,
            seed=seed,
        )
        prepare = without_defaults(
            phase=phase,
            stages=stage,
            settings=parse_settings(settings),
            ignore_unknown=ignore_unknown,
            initialize_missing=initialize_missing,
            fully_convolutional=fully_convolutional,
            only=only.split(",") if only else None,
            sliding_pool=sliding_pool,
            rename=parse_settings(rename),
            raw_detections=detections == "raw",
            input_shapes=parse_shapes(input_shape),
        )
        pair = sort_files(files or ())
        reports = [run_task(Task(pair.model.name, pair, prepare, check))]
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
    from ..verification.reports.markdown import append_summary
    from ..verification.reports.output import exit_code, write_reports
    from ..verification.reports.text import lines

    to_stdout = json == Path("-")
    for report in reports:
        if report.error:
            note(f"error: {report.name} could not be compared: {report.error}")
        elif not quiet and not to_stdout:
            for line in lines(report, verbose):
                typer.echo(line)
    if to_stdout:
        from ..verification.reports.output import to_json

        typer.echo(to_json(reports), nl=False)
    write_reports(reports, junit=junit, json=None if to_stdout else json, html=html)
    append_summary(reports)
    code = exit_code(reports)
    if code:
        raise typer.Exit({1: EXIT_DIFFER, 2: EXIT_BAD_INPUT}[code])


def _each(manifest: Path, jobs: int, plugins: Sequence[Path], quiet: bool) -> Iterator[Report]:
    """The reports of a manifest, in its order, with progress."""
    from ..formats.manifest import read_manifest
    from ..verification.many import verify_models

    models = read_manifest(manifest)
    done = []
    with progress(quiet) as bar:
        task = bar.add_task("comparing", total=len(models))
        for report in verify_models(models, jobs, plugins):
            done.append(report)
            bar.advance(task)
            note(f"[{len(done)}/{len(models)}] {report.name}: {report.verdict} ({report.seconds:.1f} s)", quiet)
    order = [model.name for model in models]
    yield from sorted(done, key=lambda report: order.index(report.name))


def parse_sizes(given: list[str] | None) -> list[int | tuple[int, ...]]:
    """`300x420` -> (300, 420); `227` -> 227. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError
    from ..formats.manifest import parse_size

    sizes: list[int | tuple[int, ...]] = []
    for text in given or ():
        try:
            sides = parse_size(text)
        except ValueError:
            raise NetsurgeryError(
                f"--size {text}", expected="HEIGHTxWIDTH, such as 300x420, or one number for both"
            ) from None
        sizes.append(sides if len(sides) > 1 else sides[0])
    return sizes


def parse_inputs(given: list[str] | None) -> dict[str, Any]:
    """`data=x.npy` -> {"data": "x.npy"}; `x.npz` -> {"": "x.npz"}."""
    pairs = (text.partition("=") if "=" in text else ("", "", text) for text in given or ())
    return {blob: file for blob, _, file in pairs}


def parse_ranges(given: list[str] | None) -> dict[str, tuple[float, float]]:
    """`data=0,255` -> {"data": (0.0, 255.0)}. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError

    ranges: dict[str, tuple[float, float]] = {}
    for text in given or ():
        blob, _, limits = text.partition("=")
        try:
            low, high = (float(part) for part in limits.split(","))
        except ValueError:
            raise NetsurgeryError(f"--range {text}", expected="BLOB=LOW,HIGH, such as data=0,255") from None
        ranges[blob] = low, high
    return ranges
