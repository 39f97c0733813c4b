"""Files in, Report out: what `netsurgery verify` does for one model."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import NetsurgeryError, Source
from ..exporters.convert import convert
from ..files.words import goes_with
from ..formats.manifest import Model
from ..formats.options import Reading
from ..passes.options import Surgery
from ..passes.prepare import prepare
from .check import compare
from .compare import FP16_RTOL, INT8_RTOL, Tolerance
from .entries import Entries, entries_of
from .environment import check_pins, metadata, versions
from .feeds import with_defaults
from .options import Comparing, Inputs
from .recorded_options import as_recorded, compared_as_recorded
from .reports.report import Report

SECONDS = 600.0
"""What a model may take for a run, if nobody says other."""


@dataclass(frozen=True)
class Pair:
    """Files to compare, the net's and the model's; or those of a second net in place of the model."""

    prototxt: Path
    weights: Path | None
    model: Path
    model_weights: Path | None = None


@dataclass(frozen=True)
class Task:
    """One comparison, in plain values that another process can be handed; `pins` are the SHA-256 that files (by path) must have."""

    name: str
    files: Pair
    reading: Reading = Reading()
    surgery: Surgery = Surgery()
    inputs: Inputs = Inputs()
    comparing: Comparing = Comparing()
    pins: Mapping[str, str] = field(default_factory=dict)


def sort_files(files: Sequence[Path]) -> Pair:
    """Tells net, weights, and what is held against them, by their order and names: `deploy.prototxt weights.caffemodel model.onnx`, or a
    second prototxt (and weights) in place of the model. A net without weights, or a caffemodel alone, may stand first.

    Raises: NetsurgeryError."""
    rest = list(files)
    prototxt = rest.pop(0) if rest else None
    weights = rest.pop(0) if rest and prototxt is not None and goes_with(rest[0], prototxt) else None
    model = rest.pop(0) if rest else None
    model_weights = rest.pop(0) if rest and model is not None and goes_with(rest[0], model) else None
    if prototxt is None or model is None or rest:
        raise NetsurgeryError(
            f"{len(files)} files: {' '.join(map(str, files)) or 'none'}"
            if not rest
            else f"'{rest[0]}' is one file too many",
            expected="deploy.prototxt weights.caffemodel model.onnx, or a second prototxt and caffemodel in place of model.onnx",
        )
    return Pair(prototxt, weights, model, model_weights)


def task_of(model: Model) -> Task:
    """The comparison that a manifest's entry asks for. Raises: NetsurgeryError for an entry that cannot be."""
    if model.onnx is None:
        raise NetsurgeryError(
            f"model '{model.name}' has no onnx", source=model.source, expected='onnx = "PATH": what is to be checked'
        )
    options = entries_of(model)
    files, pins = Pair(model.prototxt, model.weights, model.onnx), pins_of(model, model.onnx)
    return Task(model.name, files, options.reading, options.surgery, options.inputs, options.comparing, pins)


def pins_of(model: Model, output: Path) -> dict[str, str]:
    """The SHA-256 that files must have, by path. Raises: ParseError."""
    named = {"prototxt": model.prototxt, "weights": model.weights, "onnx": output}
    return {str(named.get(key) or model.folder / key): value for key, value in model.hashes().items()}


def verify_conversion(
    prototxt: Path,
    weights: Path | None,
    output: Path,
    options: Entries,
    calibration: Any = None,
    name: str = "",
) -> Report:
    """Whether what `exporters.convert.convert` wrote with these options computes what the net does: the file, not what was in memory.
    A model of fewer bits may lose more, and int8 is held against the net on the images that it was calibrated with."""
    if options.reading.initialize == "fillers" and weights is None and calibration is None:
        return _with_random_weights(prototxt, output, options, name)
    caffe = output.with_suffix(".caffemodel") if output.suffix == ".prototxt" else None
    # It was written just now: no stranger's.
    inputs, comparing = Inputs(), replace(options.comparing, outputs=options.export.outputs, timeout=0)
    if options.export.fp16:
        comparing = replace(comparing, rtol=FP16_RTOL)
    if calibration is not None:
        inputs, comparing = Inputs(arrays=calibration.sample), replace(comparing, rtol=INT8_RTOL, inner=False)
    files = Pair(prototxt, weights, output, caffe)
    return run_task(Task(name or output.name, files, options.reading, options.surgery, inputs, comparing))


def _with_random_weights(prototxt: Path, output: Path, options: Entries, name: str) -> Report:
    """The same conversion of the same net, but with weights that are drawn: most fillers' would show nothing."""
    drawn = replace(options, reading=replace(options.reading, initialize="random"))
    with TemporaryDirectory(prefix="netsurgery-") as folder:
        path = Path(folder, output.name)
        convert(prototxt, None, path, drawn.reading, drawn.surgery, drawn.pixels, drawn.export)
        report = verify_conversion(prototxt, None, path, drawn, name=name or output.name)
    note = "weights were drawn at random for this check: what fillers give shows little"
    return replace(report, model=os.fspath(output), notes=(note, *report.notes))


def run_task(task: Task) -> Report:
    """Compares. What keeps it from comparing is in the report's `error`."""
    began = time.perf_counter()
    try:
        return _run(task)
    except NetsurgeryError as error:
        return failed(task, str(error), time.perf_counter() - began)
    except MemoryError:
        return failed(task, "not enough memory", time.perf_counter() - began)


def failed(task: Task, why: str, seconds: float = 0.0) -> Report:
    """The report of a comparison that could not be made."""
    return Report(
        task.name,
        os.fspath(task.files.model),
        os.fspath(task.files.prototxt),
        Tolerance.of(task.comparing),
        (),
        versions=versions(),
        error=why,
        seconds=seconds,
    )


def _run(task: Task) -> Report:
    files = task.files
    check_pins(task.pins)
    reading, surgery, comparing = task.reading, task.surgery, task.comparing
    comparing = replace(comparing, timeout=SECONDS if comparing.timeout is None else comparing.timeout)
    notes: tuple[str, ...] = ()
    if files.model.suffix == ".onnx":
        _refuse_baked(files.model)
        reading, surgery, notes = as_recorded(files.model, reading, surgery)
        if files.weights is not None:
            reading = replace(reading, initialize=task.reading.initialize)
        comparing, more = compared_as_recorded(files.model, comparing)
        notes += more
    loaded, net = prepare(files.prototxt, files.weights, reading, surgery)
    if files.model_weights is not None or files.model.suffix == ".prototxt":
        model: Any = prepare(files.model, files.model_weights, replace(task.reading, initialize_missing=False))[1]
    else:
        model = files.model
    inputs = with_defaults(task.inputs, task.reading, loaded)
    report = compare(net, model, inputs, comparing, name=task.name)
    return replace(report, notes=(*notes, *report.notes))


def _refuse_baked(model: Path) -> None:
    """Raises: NetsurgeryError for a model that takes images as they are: the net's inputs are none of its own."""
    if metadata(model).get("netsurgery.preprocessing", "").startswith("done by the model"):
        raise NetsurgeryError(
            "takes images: its preprocessing is baked in",
            source=Source(str(model)),
            expected="a model that takes the inputs of the net",
            fix="verify what the same command writes without --bake-preprocessing, then bake",
        )
