"""Many comparisons, in processes of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from ..errors import NetsurgeryError
from ..formats.manifest import Model
from .cache import report_of
from .files import Pair, Task, failed, task_of
from .processes import in_processes
from .reports.report import Report


def verify_models(
    models: Sequence[Model],
    jobs: int = 1,
    plugins: Sequence[str | os.PathLike[str]] = (),
    cache: Path | None = None,
) -> Iterator[Report]:
    """One Report for each model of a manifest, as each is done. `jobs` processes share the cores; 0 is one for each core. `plugins`
    are files that register layer types (layers.load_plugin), `cache` a folder of reports (cache.py)."""
    tasks = []
    for model in models:
        try:
            tasks.append(task_of(model))
        except NetsurgeryError as error:
            yield failed(
                Task(model.name, Pair(model.prototxt, model.weights, model.onnx or model.prototxt)), str(error)
            )
    yield from in_processes(partial(report_of, folder=cache), tasks, jobs, plugins, failed)
