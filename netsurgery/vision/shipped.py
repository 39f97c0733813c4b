"""What goes to every worker of a Dask cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from distributed import WorkerPlugin

from .model import Model
from .pipeline import Job


class Shipped(WorkerPlugin):
    """A job and the files of its model: Dask gives them once to every worker, those that come later included. A worker opens the model
    when it is first used."""

    def __init__(self, job: Job[Any], files: Mapping[str, bytes], model: str, blobs: Sequence[str]) -> None:
        self.job, self.files, self.model, self.blobs = job, files, model, tuple(blobs)

    def setup(self, worker: Any) -> None:
        """Called by Dask on the worker."""
        self.threads = int(worker.state.nthreads)
        self._lock = Lock()
        self._opened: Model | None = None

    def opened(self) -> Model:
        with self._lock:
            if self._opened is None:
                with tempfile.TemporaryDirectory(prefix="netsurgery-") as folder:
                    for name, data in self.files.items():
                        Path(folder, name).write_bytes(data)
                    self._opened = Model(Path(folder, self.model), self.blobs, self.threads)
                self.files = {}
            return self._opened
