"""Many models in one go: each converted and, if that is asked for, compared with the net that it came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import NetsurgeryError
from ..exporters.convert import convert
from ..formats.manifest import Model
from .entries import Entries, entries_of
from .files import verify_conversion
from .reports.report import Report


@dataclass(frozen=True)
class Outcome:
    """What became of one model: "converted", "up to date" (the file was newer than its sources), or "refused", with the reason."""

    model: Model
    output: Path
    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()
    report: Report | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        return {
            "prototxt": str(self.model.prototxt),
            "weights": str(self.model.weights) if self.model.weights else None,
            "output": str(self.output),
            "status": self.status,
            "reason": self.reason,
            "notes": list(self.notes),
        }


def convert_all(
    models: Iterable[Model],
    folder: Path,
    root: Path | None = None,
    options: Entries = Entries(),
    *,
    force: bool = False,
    verify: bool = False,
) -> Iterator[Outcome]:
    """Converts one model after another into `folder` (below `root`: with the same subfolders), one Outcome each as it is done. A model
    that is refused stops none of the others. What is up to date is left alone unless `force`; `verify` compares either."""
    models = list(models)
    outputs = [model.onnx or folder / _name(model, root) for model in models]
    _require_distinct(models, outputs)
    for model, output in zip(models, outputs, strict=True):
        try:
            own = entries_of(model, options)
            notes: tuple[str, ...] = ()
            status = "up to date"
            if force or not _newer(output, model):
                output.parent.mkdir(parents=True, exist_ok=True)
                done = convert(model.prototxt, model.weights, output, own.reading, own.surgery, own.pixels, own.export)
                status, notes = "converted", done.notes
            checked = verify or own.export.fp16
            report = verify_conversion(model.prototxt, model.weights, output, own) if checked else None
            yield Outcome(model, output, status, "", notes, report)
        except NetsurgeryError as error:
            yield Outcome(model, output, "refused", str(error))
        except OSError as error:
            yield Outcome(model, output, "refused", f"{output}: cannot be written: {error.strerror}")


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


def _newer(output: Path, model: Model) -> bool:
    try:
        made = output.stat().st_mtime_ns
        return all(source.stat().st_mtime_ns <= made for source in (model.prototxt, model.weights) if source)
    except OSError:
        return False
