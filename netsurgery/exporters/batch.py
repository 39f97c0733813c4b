"""Many models in one go."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import NetsurgeryError
from ..formats.manifest import VERIFY_ENTRIES, Model
from .convert import convert

_OPTIONS = frozenset(
    name for name, p in inspect.signature(convert).parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY
)


@dataclass(frozen=True)
class Outcome:
    """What became of one model: "converted", "up to date" (the file was newer than its sources), or "refused", with the reason."""

    model: Model
    output: Path
    status: str
    reason: str = ""
    notes: tuple[str, ...] = ()

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
    models: Iterable[Model], folder: Path, root: Path | None = None, *, force: bool = False, **options: Any
) -> Iterator[Outcome]:
    """Converts one model after another into `folder` (below `root`: with the same subfolders), one Outcome each as it is done. A model
    that is refused stops none of the others. What is up to date is left alone unless `force`."""
    for model in models:
        output = model.onnx or folder / _name(model, root)
        if not force and _newer(output, model):
            yield Outcome(model, output, "up to date")
            continue
        try:
            output.parent.mkdir(parents=True, exist_ok=True)
            done = convert(model.prototxt, model.weights, output, **{**options, **convert_options(model.options)})
        except NetsurgeryError as error:
            yield Outcome(model, output, "refused", str(error))
        except OSError as error:
            yield Outcome(model, output, "refused", f"{output}: cannot be written: {error.strerror}")
        else:
            yield Outcome(model, output, "converted", notes=done.notes)


def _name(model: Model, root: Path | None) -> Path:
    inside = model.prototxt.relative_to(root) if root else Path(model.prototxt.name)
    return inside.with_name(inside.name.removesuffix(".prototxt") + ".onnx")


def convert_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a manifest that are options of `convert`. Raises: NetsurgeryError for one that nobody reads."""
    for name in given:
        if name not in _OPTIONS and name not in VERIFY_ENTRIES:
            raise NetsurgeryError(
                f"the manifest's entry '{name}' is not known", expected=", ".join(sorted(_OPTIONS | VERIFY_ENTRIES))
            )
    return {name: value for name, value in given.items() if name in _OPTIONS}


def _newer(output: Path, model: Model) -> bool:
    try:
        made = output.stat().st_mtime_ns
        return all(source.stat().st_mtime_ns <= made for source in (model.prototxt, model.weights) if source)
    except OSError:
        return False
