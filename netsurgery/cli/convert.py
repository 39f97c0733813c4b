"""netsurgery convert"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._common import (
    EXIT_BAD_INPUT,
    IgnoreUnknown,
    InputShapes,
    Json,
    Phase,
    Plugin,
    Quiet,
    Settings,
    Stage,
    note,
    parse_settings,
    parse_shapes,
    print_json,
    progress,
)
from ._vision import PIXELS, Bgr, Mean, PixelsAs, RawScale, Scale

if TYPE_CHECKING:
    from ..exporters.convert import Conversion
    from ..verification.reports.report import Report


BITS = "Fewer bits"


def convert(
    prototxt: Annotated[
        Path | None,
        typer.Argument(
            help="The net: deploy.prototxt or train_val.prototxt, of any vintage, or a caffemodel alone; init_net.pb and "
            "predict_net.pb of Caffe2; or a folder of models.",
            show_default=False,
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Argument(help="Its weights: .caffemodel or .caffemodel.h5.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            "-o",
            help="MODEL.onnx, or NET.prototxt (with NET.caffemodel beside it); a folder for many. Default: as the net, .onnx",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(help="caffe2: write init_net.pb and predict_net.pb into the folder -o.", show_default=False),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="A list of models in TOML: does them all.", show_default=False)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Of many models, convert also those that are up to date.")
    ] = False,
    fully_convolutional: Annotated[
        bool,
        typer.Option(
            "--fully-convolutional", help="Turn InnerProduct into Convolution: any image size, a map of answers."
        ),
    ] = False,
    only: Annotated[
        str | None, typer.Option(metavar="FC6,FC7", help="Turn only these InnerProduct layers.", show_default=False)
    ] = None,
    sliding_pool: Annotated[
        bool, typer.Option("--sliding-pool", help="Let a pool of the whole map slide instead of giving one answer.")
    ] = False,
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="FC6=FC6-CONV", help="New name of a converted layer. Repeatable.", show_default=False),
    ] = None,
    blobs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            metavar="BLOB",
            help="A blob to give out, instead of the net's outputs. Repeatable.",
            show_default=False,
        ),
    ] = None,
    input_shape: InputShapes = None,
    static: Annotated[bool, typer.Option("--static", help="Fix every axis at its declared size.")] = False,
    opset: Annotated[int, typer.Option(help="ONNX opset, 17 or newer.")] = 21,
    no_fold: Annotated[bool, typer.Option("--no-fold", help="Keep BatchNorm and Scale as nodes of their own.")] = False,
    weights_mode: Annotated[
        str,
        typer.Option(
            "--weights",
            metavar="MODE",
            help="embed: in the model; external: in MODEL.onnx.data beside it; link: left in the caffemodel; auto.",
        ),
    ] = "auto",
    full_hash: Annotated[
        bool, typer.Option("--hash", help="With link, record the full hash of the caffemodel too.")
    ] = False,
    initialize: Annotated[
        str | None,
        typer.Option(
            metavar="[=random]",
            help="Make weights up: as the fillers say, or =random, with which numbers keep an ordinary size.",
            show_default=False,
        ),
    ] = None,
    initialize_missing: Annotated[
        bool, typer.Option("--initialize-missing", help="Fill what the weights file lacks as the fillers say.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The seed of made-up weights.")] = 0,
    detections: Annotated[
        str,
        typer.Option(
            help="boxes, as DetectionOutput gives them; or raw: decoded boxes, scores and priors, for an NMS of your own."
        ),
    ] = "boxes",
    as_custom_op: Annotated[
        list[str] | None,
        typer.Option(
            "--as-custom-op",
            metavar="TYPE[=DOMAIN]",
            help="Hand layers of this type on as nodes of a domain, for a kernel of your own. Repeatable.",
            show_default=False,
        ),
    ] = None,
    plugin: Plugin = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    mean: Mean = None,
    scale: Scale = None,
    raw_scale: RawScale = None,
    bgr: Bgr = None,
    pixels_as: PixelsAs = None,
    bake_preprocessing: Annotated[
        bool,
        typer.Option(
            "--bake-preprocessing",
            help="Let the model do it: it takes RGB images (N, H, W, 3) of uint8, of any size.",
            rich_help_panel=PIXELS,
        ),
    ] = False,
    fp16: Annotated[
        bool,
        typer.Option(
            "--fp16",
            help="Compute in float16 where that is safe, and say what is lost; inputs and outputs stay float32.",
            rich_help_panel=BITS,
        ),
    ] = False,
    int8: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IMAGES",
            help="Compute on int8, calibrated with images (files, folders, lists), and say what is lost. Repeatable.",
            show_default=False,
            rich_help_panel=BITS,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Run what was written, and compare every blob with what Caffe computes; exit 1 if it differs.",
        ),
    ] = False,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHOM",
            help="As --verify, by the numbers of netsurgery, caffe, caffe2, opencv, or FILE.npz. Repeatable.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a Caffe net into one ONNX model that runs at every input size.

    Example: netsurgery convert deploy.prototxt weights.caffemodel -o model.onnx
    """
    from ..errors import NetsurgeryError
    from ..exporters.convert import convert as run

    options: dict[str, Any] = {
        "to": to,
        "phase": phase,
        "stages": stage or (),
        "settings": parse_settings(settings),
        "ignore_unknown": ignore_unknown,
        "custom_ops": {name: domain or "caffe" for name, _, domain in (t.partition("=") for t in as_custom_op or ())},
        "initialize": initialize,
        "initialize_missing": initialize_missing,
        "seed": seed,
        "fully_convolutional": fully_convolutional,
        "only": only.split(",") if only else None,
        "sliding_pool": sliding_pool,
        "rename": parse_settings(rename),
        "raw_detections": detections == "raw",
        "outputs": blobs,
        "input_shapes": parse_shapes(input_shape),
        "static": static,
        "opset": opset,
        "fold": not no_fold,
        "weights_mode": weights_mode,
        "full_hash": full_hash,
        "mean": mean,
        "scale": scale,
        "raw_scale": raw_scale,
        "channel_order": None if bgr is None else "bgr" if bgr else "rgb",
        "pixels_as": pixels_as,
        "bake_preprocessing": bake_preprocessing,
        "fp16": fp16,
    }
    check = check or bool(against)
    if int8:
        from ..vision.calibration import ImageCalibration

        options["calibration"] = ImageCalibration(int8)
    if (check or fp16) and bake_preprocessing:
        raise NetsurgeryError(
            f"--{'verify' if check else 'fp16'} cannot feed images to a model with its preprocessing baked in",
            fix="verify it without --bake-preprocessing, then bake",
        )
    if detections not in ("boxes", "raw"):
        raise NetsurgeryError(f"--detections {detections}", expected="boxes or raw")
    if manifest is not None or (prototxt is not None and prototxt.is_dir()):
        if to is not None:
            raise NetsurgeryError(f"--to {to} for many models", expected="one net at a time")
        if int8:
            raise NetsurgeryError("--int8 for many models", expected="one net at a time")
        _convert_many(prototxt, manifest, output, options, force, check or fp16, as_json, quiet, against)
        return
    if prototxt is None:
        raise NetsurgeryError(
            "no net given", expected="a prototxt, a folder, or --manifest", fix="netsurgery convert --help"
        )
    usual = Path(f"{prototxt.stem}_caffe2") if to == "caffe2" else Path(prototxt.name).with_suffix(".onnx")
    done = run(prototxt, weights, output or usual, **options)
    reports = [_verify(prototxt, weights, done.path, options, against)] if check or fp16 or int8 else []
    if as_json:
        print_json({**done.to_json(), **({"verify": reports[0].to_json()} if reports else {})})
    else:
        _print(done, quiet)
        for text in options["calibration"].notes if int8 else ():
            note(f"note: {text}", quiet)
    _finish(reports, quiet or as_json)


def _verify(
    prototxt: Path, weights: Path | None, output: Path, options: dict[str, Any], against: list[str] | None
) -> Report:
    from ..verification.files import verify_conversion

    return verify_conversion(prototxt, weights, output, options, against=against or ())


def _finish(reports: list[Report], quiet: bool) -> None:
    """Prints what --verify found. Raises: typer.Exit unless all agree."""
    from .verify import finish

    for report in reports:
        if not report.passed:
            note(f"note: {report.model} was written, and is kept; {report.verdict}")
    if reports:
        finish(reports, quiet=quiet)


def _convert_many(
    folder: Path | None,
    manifest: Path | None,
    output: Path | None,
    options: dict[str, Any],
    force: bool,
    check: bool,
    as_json: bool,
    quiet: bool,
    against: list[str] | None,
) -> None:
    from ..exporters.batch import convert_all, convert_options
    from ..formats.manifest import find_models, read_manifest

    models = read_manifest(manifest) if manifest is not None else find_models(folder or ".")
    outcomes, reports = [], []
    with progress(quiet or as_json) as bar:
        task = bar.add_task("converting", total=len(models))
        for outcome in convert_all(
            models, output or Path("."), folder if manifest is None else None, force=force, **options
        ):
            outcomes.append(outcome)
            if check and outcome.status != "refused":
                model = outcome.model
                asked = {**options, **convert_options(model.options)}
                reports.append(_verify(model.prototxt, model.weights, outcome.output, asked, against))
            bar.advance(task)
            note(
                f"{outcome.status}: {outcome.output if outcome.status != 'refused' else outcome.reason}",
                quiet or as_json,
            )
    count = Counter(outcome.status for outcome in outcomes)
    if as_json:
        found = {"verify": [report.to_json() for report in reports]} if check else {}
        print_json({"models": [outcome.to_json() for outcome in outcomes], "count": count, **found})
    else:
        note(", ".join(f"{n} {status}" for status, n in count.items()), quiet)
    _finish(reports, quiet or as_json)
    if count["refused"]:
        raise typer.Exit(EXIT_BAD_INPUT)


def _print(done: Conversion, quiet: bool) -> None:
    for text in done.notes:
        note(f"note: {text}", quiet)
    inputs = done.to_json()["inputs"]
    shown = ", ".join(f"{name} ({', '.join(map(str, sizes))})" for name, sizes in inputs.items())
    note(f"{done.path}: {shown} -> {', '.join(done.outputs)}", quiet)
    by_layer: dict[str, list[str]] = {}
    for axis in done.axes:
        if axis.freed_by_surgery:
            by_layer.setdefault(axis.tied_by, []).append(f"axis {axis.axis} of {axis.input} to {axis.size}")
    for layer, axes in by_layer.items():
        note(f"note: layer {layer} ties {' and '.join(axes)}; --fully-convolutional frees it", quiet)
