"""netsurgery convert"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..shown import visible
from .options import Jobs, Json, Manifest, Only, Quiet, Weights, Without
from .printing import EXIT_BAD_INPUT, note, print_json, progress

if TYPE_CHECKING:
    from ..exporters.convert import Conversion
    from ..exporters.options import Export
    from ..formats.options import Pixels, Reading
    from ..passes.options import Surgery
    from ..verification.entries import Entries
    from ..verification.options import Comparing
    from ..verification.reports.report import Report


def convert(
    reading: Reading,
    surgery: Surgery,
    export: Export,
    pixels: Annotated[Pixels, Without(("resize",))],
    comparing: Annotated[Comparing, Only(("against",))],
    prototxt: Annotated[
        Path | None,
        typer.Argument(
            metavar="NET",
            help="The net: deploy.prototxt or train_val.prototxt, of any vintage, or a caffemodel alone; init_net.pb and "
            "predict_net.pb of Caffe2; or a folder of models.",
            show_default=False,
        ),
    ] = None,
    weights: Weights = None,
    output_file: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            "-o",
            help="MODEL.onnx, or NET.prototxt (with NET.caffemodel beside it); a folder for many. Default: as the net, .onnx",
            show_default=False,
        ),
    ] = None,
    manifest: Manifest = None,
    force: Annotated[
        bool, typer.Option("--force", help="Of many models, convert also those that are up to date.")
    ] = False,
    jobs: Jobs = 1,
    check: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Run what was written, and compare every blob with what Caffe computes; exit 1 if it differs. --against does so, too.",
        ),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a Caffe net into one ONNX model that runs at every input size.

    Example: netsurgery convert deploy.prototxt weights.caffemodel -o model.onnx
    """
    from ..errors import NetsurgeryError
    from ..exporters.convert import convert as run
    from ..verification.entries import Entries

    options = Entries(reading, surgery, pixels, export, comparing=comparing)
    check = check or export.fp16 or bool(comparing.against)
    if check and export.bake_preprocessing:
        raise NetsurgeryError(
            f"--{'fp16' if export.fp16 else 'verify'} cannot feed images to a model with its preprocessing baked in",
            fix="verify it without --bake-preprocessing, then bake",
        )
    if check and export.to == "openvino":
        raise NetsurgeryError(
            "--verify of OpenVINO's own format",
            expected="an ONNX model",
            fix="verify that: convert -o MODEL.onnx --for openvino, then netsurgery verify ... --in openvino",
        )
    if manifest is not None or (prototxt is not None and prototxt.is_dir()):
        for one in filter(None, (export.to and f"--to {export.to}", export.int8 and "--int8")):
            raise NetsurgeryError(f"{one} for many models", expected="one net at a time")
        _convert_many(prototxt, manifest, output_file, options, force, check, jobs, as_json, quiet)
        return
    if prototxt is None:
        raise NetsurgeryError(
            "no net given", expected="a prototxt, a folder, or --manifest", fix="netsurgery convert --help"
        )
    calibration = None
    if export.int8:
        from ..vision.calibration import ImageCalibration

        calibration = ImageCalibration(export.int8)
    usual = Path(prototxt.name).with_suffix(".xml" if export.to == "openvino" else ".onnx")
    if export.to == "caffe2":
        usual = Path(f"{prototxt.stem}_caffe2")
    done = run(prototxt, weights, output_file or usual, reading, surgery, pixels, export, calibration)
    reports = []
    if check or calibration is not None:
        from ..verification.files import verify_conversion

        reports.append(verify_conversion(prototxt, weights, done.path, options, calibration))
    if as_json:
        print_json({**done.to_json(), **({"verify": reports[0].to_json()} if reports else {})})
    else:
        _print(done, quiet)
        for text in calibration.notes if calibration is not None else ():
            note(visible(f"note: {text}"), quiet)
    _finish(reports, quiet or as_json)


def _finish(reports: list[Report], quiet: bool) -> None:
    """Prints what --verify found. Raises: typer.Exit unless all agree."""
    if not reports:
        return
    from .verify import finish

    for report in reports:
        if not report.passed:
            note(f"note: {report.model} was written, and is kept; {report.verdict}")
    finish(reports, quiet=quiet)


def _convert_many(
    folder: Path | None,
    manifest: Path | None,
    output: Path | None,
    options: Entries,
    force: bool,
    check: bool,
    jobs: int,
    as_json: bool,
    quiet: bool,
) -> None:
    from ..formats.manifest import find_models, read_manifest
    from ..verification.conversions import convert_all

    models = read_manifest(manifest) if manifest is not None else find_models(folder or ".")
    root = folder if manifest is None else None
    outcomes = []
    with progress(quiet or as_json) as bar:
        task = bar.add_task("converting", total=len(models))
        for outcome in convert_all(models, output or Path("."), root, options, force=force, verify=check, jobs=jobs):
            outcomes.append(outcome)
            bar.advance(task)
            note(outcome.line, quiet or as_json)
    count = Counter(outcome.status for outcome in outcomes)
    order = [model.name for model in models]
    outcomes.sort(key=lambda outcome: order.index(outcome.model.name))
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    if as_json:
        compared = {"verify": [report.to_json() for report in reports]} if check else {}
        print_json({"models": [outcome.to_json() for outcome in outcomes], "count": count, **compared})
    else:
        note(", ".join(f"{n} {status}" for status, n in count.items()), quiet)
    _finish(reports, quiet or as_json)
    if count["refused"]:
        raise typer.Exit(EXIT_BAD_INPUT)


def _print(done: Conversion, quiet: bool) -> None:
    for text in done.notes:
        note(visible(f"note: {text}"), quiet)
    inputs = done.to_json()["inputs"]
    shown = ", ".join(f"{name} ({', '.join(map(str, sizes))})" for name, sizes in inputs.items())
    note(visible(f"{done.path}: {shown} -> {', '.join(done.outputs)}"), quiet)
    by_layer: dict[tuple[str, bool], list[str]] = {}
    for axis in done.axes:
        # that a channel is tied (axis 1) is no news, and a NetDef says of itself what it ties
        if axis.freed_by_surgery or (axis.tied_by and axis.axis != 1 and done.path.suffix == ".onnx"):
            told = f"axis {axis.axis} of {axis.input} to {axis.size}"
            by_layer.setdefault((axis.tied_by, axis.freed_by_surgery), []).append(told)
    for (layer, freed), axes in by_layer.items():
        note(
            f"note: layer {layer} ties {' and '.join(axes)}{'; --fully-convolutional frees it' if freed else ''}", quiet
        )
