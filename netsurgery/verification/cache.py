"""A cache of reports: a comparison whose net, weights, model, options and versions have not changed is not made again.

An entry is one file, named by the hash of all that its report depends on, and begins with the hash of the rest of it: what is damaged, or
of another version, is passed over. A table beside them holds the hashes of files by size and time, so that large ones are not read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ..errors import NetsurgeryError, ParseError, Source, UnavailableError, WeightsError
from ..files.output import replacing
from ..formats.weights.hashes import sha256
from .compare import Measure, Tolerance
from .environment import installed, versions
from .files import Task, run_task
from .reports.case import Case, Comparison, TopFive
from .reports.report import Report
from .side.opened import open_side
from .side.recipe import CAFFE, CAFFE2

SETTLED = 2.0
"""Seconds after its last change from which on a file's size and time tell whether it changed: clocks of file systems are coarse."""

RUNTIMES = ("onnxruntime", "opencv-python-headless", "opencv-python", "openvino", "onnx2torch", "torch", "MNN", "tract")
"""The packages that compute."""

PACKAGE = Path(__file__).parents[1]


def report_of(task: Task, folder: Path | None = None) -> Report:
    """The task's report: the one that lies in the folder, or else a new one, which is put there if anything was compared.

    Raises: NetsurgeryError if it cannot be."""
    if folder is None:
        return run_task(task)
    began = time.perf_counter()
    store = Store(folder)
    name = store.name(task)
    report = store.read(name) if name else None
    if report is not None:
        note = f"taken from {folder}: nothing that it depends on has changed"
        return replace(report, notes=(*report.notes, note), seconds=time.perf_counter() - began)
    report = run_task(task)
    if name and not report.error and (problem := store.write(name, report)):
        report = replace(report, notes=(*report.notes, f"not kept in {folder}: {problem}"))
    return report


@dataclass(frozen=True)
class Store:
    """A folder of reports."""

    folder: Path

    def name(self, task: Task) -> str:
        """The hash of all that the task's report depends on; "" where that cannot be told."""
        try:
            plain = _plain(task)
            if task.comparing.runtime == "web":
                return ""  # its version is asked of a program
            asked = {"caffe", "caffe2"}.intersection([*task.comparing.against, task.comparing.runtime or ""])
            if task.files.model.is_dir() or task.files.model.suffix == ".pb":
                asked.add("caffe2")
            told = {
                "task": plain,
                "files": {path: self.file_hash(path) for path in sorted(_files(task))},
                "versions": versions() | {name: installed(name) for name in RUNTIMES},
                "code": _code(),
                "layers": sorted(
                    f"{e.name} {e.dist and e.dist.name} {e.dist and e.dist.version}" for e in _own_layers()
                ),
                "sides": {name: _side(name) for name in sorted(asked)},
            }
        except (OSError, TypeError, UnavailableError, ParseError, WeightsError):  # the comparison will say why
            return ""
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def file_hash(self, path: str) -> str:
        """The SHA-256 of a file, looked up by its size and time where it lay still when that was noted."""
        stamp = os.stat(path)
        key = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()
        place, state = self.folder / "files" / key, [stamp.st_size, stamp.st_mtime_ns, stamp.st_ino]
        entry = _read(place)
        if entry is not None and entry.get("stamp") == state:
            return str(entry["sha256"])
        digest = sha256(path)
        if time.time() - stamp.st_mtime > SETTLED:
            _write(place, {"stamp": state, "sha256": digest})
        return digest

    def read(self, name: str) -> Report | None:
        entry = _read(self.folder / "reports" / name)
        try:
            return None if entry is None else _report(entry)
        except (KeyError, TypeError, ValueError):
            return None

    def write(self, name: str, report: Report) -> str:
        """Why it is not there afterwards, "" if it is."""
        entry = asdict(report)
        for case, plain in zip(report.cases, entry["cases"], strict=True):
            for c, inner in zip(case.comparisons, plain["comparisons"], strict=True):
                inner["source"] = {"file": c.source.file, "line": c.source.line, "column": c.source.column}
        return _write(self.folder / "reports" / name, entry)


def _read(place: Path) -> dict[str, Any] | None:
    """What was written there; None for what is not there, or damaged."""
    try:
        digest, _, text = place.read_bytes().partition(b"\n")
        if hashlib.sha256(text).hexdigest().encode() != digest:
            return None
        entry = json.loads(text)
    except (OSError, ValueError):
        return None
    return entry if isinstance(entry, dict) else None


def _write(place: Path, entry: Mapping[str, Any]) -> str:
    """Why it could not be written, "" if it was. Raises: NetsurgeryError if there can be no folder for it."""
    text = json.dumps(entry, default=_scalar).encode()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NetsurgeryError(
            f"cannot be made: {error.strerror}",
            source=Source(str(place.parent)),
            expected="a folder for reports",
            fix="another --cache DIR",
        ) from None
    try:
        with replacing(place) as file:
            file.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    except NetsurgeryError as error:  # a full disk, say: what was compared is worth more than its copy
        return error.problem
    return ""


def _scalar(value: Any) -> Any:
    """A number of NumPy's as one of Python's."""
    return value.item()


def _report(entry: dict[str, Any]) -> Report:
    cases = tuple(_case(case) for case in entry.pop("cases"))
    return Report(
        **{**entry, "tolerance": Tolerance(**entry["tolerance"]), "cases": cases, "notes": tuple(entry["notes"])}
    )


def _case(entry: dict[str, Any]) -> Case:
    comparisons = tuple(
        Comparison(**{**c, "source": Source(**c["source"]), "measure": _measure(c["measure"])})
        for c in entry["comparisons"]
    )
    top_five = tuple(TopFive(**t) for t in entry["top_five"])
    return Case(**{**entry, "comparisons": comparisons, "top_five": top_five})


def _measure(entry: dict[str, Any]) -> Measure:
    where = entry["where"]
    return Measure(**{**entry, "shape": tuple(entry["shape"]), "where": None if where is None else tuple(where)})


def _plain(value: Any) -> Any:
    """Options as values of JSON. Raises: TypeError for what is none: an array, a function."""
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return [[str(key), _plain(inner)] for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    raise TypeError(type(value).__name__)


def _files(task: Task) -> set[str]:
    """Every file that the task names, those in its folders, and those in which the model has its weights. Raises: OSError."""
    paths = {text for text in _texts(_plain(task)) if os.path.exists(text)}
    inside = {str(path) for name in paths if os.path.isdir(name) for path in Path(name).rglob("*")}
    if task.files.model.suffix == ".onnx":
        from ..exporters.onnx.light import read_light

        tensors = read_light(task.files.model).proto.graph.initializer
        locations = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
        inside |= {os.path.join(task.files.model.parent, location) for location in locations}
    return {path for path in paths | inside if not os.path.isdir(path)}


def _texts(plain: Any) -> Iterator[str]:
    if isinstance(plain, str):
        yield plain
    for inner in plain.values() if isinstance(plain, dict) else plain if isinstance(plain, list) else ():
        yield from _texts(inner)


@cache
def _code() -> str:
    """The hash of netsurgery's own code: a checkout changes under one version."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _own_layers() -> Any:
    return entry_points(group="netsurgery.layers")


@cache
def _side(name: str) -> Any:
    """What a side environment says of itself, and when its library was made. Raises: UnavailableError where there is none."""
    side, about = open_side({"caffe": CAFFE, "caffe2": CAFFE2}[name])
    side.close()
    folder = Path(about["file"]).parent if "file" in about else None
    libraries = sorted(folder.glob("*.so*")) if folder is not None else []
    return [about, [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in libraries]]
