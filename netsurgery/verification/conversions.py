"""Many models in one go: each converted and, if that is asked for, compared with the net that it came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import NetsurgeryError
from ..exporters.convert import convert
from ..files.overwriting import require_no_input
from ..formats.manifest import Model
from .entries import Entries, entries_of
from .environment import check_pins
from .files import pins_of, verify_conversion
from .processes import in_processes
from .recorded_options import is_current
from .reports.report import Report


@dataclass(frozen=True)
class Outcome:
    """What became of one model: "converted", "up to date" (its record tells the same files, options and version),
    or "refused", with the reason."""

    model: Model
    output: Path
    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()
    report: Report | None = field(default=None, compare=False)

    @property
    def line(self) -> str:
        """For the terminal."""
        if self.status == "refused":
            return f"refused: {self.reason}"
        return f"{self.status}: {self.output}" + (f": {self.report.verdict}" if self.report is not None else "")

    def to_json(self) -> dict[str, Any]:
        return {
            "prototxt": str(self.model.prototxt),
            "weights": str(self.model.weights) if self.model.weights else None,
            "output": str(self.output),
            "status": self.status,
            "reason": self.reason,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Job:
    """One conversion, in plain values that another process can be handed."""

    model: Model
    output: Path
    options: Entries
    force: bool = False
    verify: bool = False


def convert_all(
    models: Iterable[Model],
    folder: Path,
    root: Path | None = None,
    options: Entries = Entries(),
    *,
    force: bool = False,
    verify: bool = False,
    jobs: int = 1,
) -> Iterator[Outcome]:
    """Converts many models into `folder` (below `root`: with the same subfolders), one Outcome for each as it is done, in `jobs`
    processes (0: one for each core). A model that is refused stops none of the others. What is up to date is left alone unless `force`;
    `verify` compares either.

    Raises: NetsurgeryError if a model would be written over another, or over a file that is read."""
    models = list(models)
    outputs = [model.onnx or folder / _name(model, root) for model in models]
    _require_distinct(models, outputs)
    sources = [str(file) for model in models for file in (model.prototxt, model.weights) if file is not None]
    require_no_input(map(str, outputs), sources)
    tasks = [Job(model, output, options, force, verify) for model, output in zip(models, outputs, strict=True)]
    yield from in_processes(run_job, tasks, jobs, options.reading.plugins, refused)


def run_job(job: Job) -> Outcome:
    """Converts, and compares if that is asked for. What keeps it from converting is in the outcome's `reason`."""
    model, output = job.model, job.output
    try:
        own = entries_of(model, job.options)
        if own.export.int8:
            raise NetsurgeryError(
                "int8 cannot be asked for in a manifest", fix="netsurgery convert --int8, one model at a time"
            )
        pins = pins_of(model, output)
        output_pin = pins.pop(str(output), None)
        check_pins(pins)
        notes: tuple[str, ...] = ()
        status = "up to date"
        if job.force or not is_current(output, model.prototxt, model.weights, own):
            output.parent.mkdir(parents=True, exist_ok=True)
            options = own.reading, own.surgery, own.pixels, own.export
            notes = convert(model.prototxt, model.weights, output, *options).notes
            status = "converted"
        if output_pin is not None:
            check_pins({str(output): output_pin})
        report = None
        if job.verify or own.export.fp16:
            report = verify_conversion(model.prototxt, model.weights, output, own, name=model.name)
        return Outcome(model, output, status, "", notes, report)
    except NetsurgeryError as error:
        return refused(job, str(error))
    except OSError as error:
        return refused(job, f"{output}: cannot be written: {error.strerror}")
    except MemoryError:
        return refused(job, "not enough memory")


def refused(job: Job, why: str) -> Outcome:
    return Outcome(job.model, job.output, "refused", why)


def _require_distinct(models: Sequence[Model], outputs: Sequence[Path]) -> None:
    """Raises: NetsurgeryError where one model would overwrite another."""
    first: dict[str, Model] = {}
    for model, output in zip(models, outputs, strict=True):
        other = first.setdefault(os.path.realpath(output), model)
        if other is not model:
            raise NetsurgeryError(
                f"model '{model.name}' would be written over model '{other.name}' ({other.source or other.prototxt}): {output}",
                source=model.source,
                expected="a file of its own for each model",
                fix="say which: onnx = ...",
            )


def _name(model: Model, root: Path | None) -> Path:
    inside = model.prototxt.relative_to(root) if root else Path(model.prototxt.name)
    return inside.with_name(inside.name.removesuffix(".prototxt") + ".onnx")
