"""Files in, Report out: what `netsurgery verify` does for one model."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import NetsurgeryError
from ..exporters.batch import convert_options
from ..exporters.convert import prepare
from ..formats.manifest import Model
from .check import verify
from .compare import ATOL, RTOL, Tolerance
from .environment import check_pins, versions
from .feeds import ranges
from .reports.report import Report

WEIGHTS = (".caffemodel", ".caffemodel.h5", ".h5", ".hdf5", ".pb")
PREPARE = frozenset(prepare.__kwdefaults__ or {})
READING = frozenset({"phase", "stages", "settings", "ignore_unknown", "custom_ops", "input_shapes"})
"""Options that say how files are read, not what is done to the net: they count for a second net as well."""


FP16_RTOL, INT8_RTOL = 1e-2, 0.25
"""What a model of fewer bits may be off, as a share of a blob's largest value, before it counts as wrong: 11 bits lose some 1e-3 on the
way through a deep net, 7 bits some 5e-2."""


@dataclass(frozen=True)
class Pair:
    """Files to compare, the net's and the model's; or those of a second net in place of the model."""

    prototxt: Path
    weights: Path | None
    model: Path
    model_weights: Path | None = None

    @property
    def by_kind(self) -> dict[str, Path | None]:
        return {"prototxt": self.prototxt, "weights": self.weights, "onnx": self.model}


@dataclass(frozen=True)
class Task:
    """One comparison, in plain values that another process can be handed: `prepare` are options of exporters.convert.prepare, `check`
    those of `verify`, `pins` the SHA-256 that files (by path) must have."""

    name: str
    files: Pair
    prepare: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)


def sort_files(files: Sequence[Path]) -> Pair:
    """Tells net, weights, and what is held against them, by their order and names: `deploy.prototxt weights.caffemodel model.onnx`, or a
    second prototxt (and weights) in place of the model. A net without weights, or a caffemodel alone, may stand first.

    Raises: NetsurgeryError."""
    rest = list(files)
    prototxt = rest.pop(0) if rest else None
    weights = rest.pop(0) if rest and _is_weights(rest[0]) else None
    model = rest.pop(0) if rest else None
    model_weights = rest.pop(0) if rest and model is not None and _is_weights(rest[0]) else None
    if prototxt is None or model is None or rest:
        raise NetsurgeryError(
            f"{len(files)} files: {' '.join(map(str, files)) or 'none'}"
            if not rest
            else f"'{rest[0]}' is one file too many",
            expected="deploy.prototxt weights.caffemodel model.onnx, or a second prototxt and caffemodel in place of model.onnx",
        )
    return Pair(prototxt, weights, model, model_weights)


def _is_weights(path: Path) -> bool:
    return path.name.lower().endswith(WEIGHTS)


def task_of(model: Model) -> Task:
    """The comparison that a manifest's entry asks for. Raises: NetsurgeryError for an entry that cannot be."""
    if model.onnx is None:
        raise NetsurgeryError(f"model '{model.name}' has no onnx", expected='onnx = "PATH": what is to be checked')
    options = convert_options(model.options)  # raises for what nobody reads
    check = model.check()
    files = Pair(model.prototxt, model.weights, model.onnx)
    pins = {str(files.by_kind.get(key) or model.folder / key): value for key, value in check.pop("sha256", {}).items()}
    prepared = {name: value for name, value in options.items() if name in PREPARE}
    return Task(model.name, files, prepared, check, pins)


def without_defaults(**options: Any) -> dict[str, Any]:
    """The options that were given: neither None nor empty."""
    return {name: value for name, value in options.items() if value is not None and value not in ((), [], {})}


def shapes_of(given: Mapping[str, Sequence[int | str | None]]) -> list[dict[str, tuple[int, ...]]]:
    """The whole shapes among shapes of inputs, some of which may leave axes free, as what to compare at."""
    whole = {
        blob: tuple(n for n in shape if isinstance(n, int))
        for blob, shape in given.items()
        if all(isinstance(n, int) for n in shape)
    }
    return [whole] if whole else []


def verify_conversion(
    prototxt: Path,
    weights: Path | None,
    output: Path,
    options: Mapping[str, Any],
    name: str = "",
    against: Sequence[str] = (),
) -> Report:
    """Whether what `exporters.convert.convert` wrote with these options computes what the net does: the file, not what was in memory.
    A model of fewer bits may lose more, and int8 is held against the net on the images that it was calibrated with."""
    caffe = output.with_suffix(".caffemodel") if output.suffix == ".prototxt" else None
    prepared = {key: value for key, value in options.items() if key in PREPARE}
    check = without_defaults(outputs=options.get("outputs"), against=list(against))
    if options.get("fp16"):
        check["rtol"] = FP16_RTOL
    if (calibration := options.get("calibration")) is not None:
        check |= {"rtol": INT8_RTOL, "inner": False, "inputs": calibration.sample}
    return run_task(Task(name or output.name, Pair(prototxt, weights, output, caffe), prepared, check))


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
    tolerance = Tolerance(task.check.get("rtol", RTOL), task.check.get("atol", ATOL))
    return Report(
        task.name,
        os.fspath(task.files.model),
        os.fspath(task.files.prototxt),
        tolerance,
        (),
        versions=versions(),
        error=why,
        seconds=seconds,
    )


def _run(task: Task) -> Report:
    files = task.files
    check_pins(task.pins)
    loaded, net = prepare(files.prototxt, files.weights, **task.prepare)
    if files.model_weights is not None or files.model.suffix == ".prototxt":
        reading = {key: value for key, value in task.prepare.items() if key in READING}
        model: Any = prepare(files.model, files.model_weights, **reading)[1]
    else:
        model = files.model
    check = {**task.check, "ranges": {**ranges(loaded), **task.check.get("ranges", {})}}
    return verify(net, model, name=task.name, **check)
