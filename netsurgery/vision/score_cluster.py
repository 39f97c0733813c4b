"""Samples scored by the workers of a Dask cluster: each model goes to each worker once, images are read there, ranks come back.

samples ── by every model, in order, side by side ──> (rank, what judges read) of each ──> batches
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source
from ..formats.preprocessing import Preprocessing
from .accuracy import ranks, require_classes
from .cluster import stream_on
from .data_layer import transform
from .images import ImageFile
from .pipeline import Job
from .pipeline import Sample as Ready
from .samples import Sample, read_pixels, require_stored_size

Array = NDArray[np.float32]
Judged = tuple[int, dict[str, Array]]
"""The rank of the right class, and rows of the blobs that judges read."""


@dataclass(frozen=True)
class ScoreJob(Job[Judged]):
    """What a model makes of an image, whose label stands behind its name. `stored`: images must have the input's size."""

    shape: tuple[int, int, int]
    preprocessing: Preprocessing
    resize: tuple[int, int] | None
    gray: bool
    stored: bool
    blobs: tuple[str, ...]
    blob: str
    reads: tuple[str, ...]

    def load(self, image: ImageFile) -> Ready:
        pixels = read_pixels(image.path, self.resize, self.gray)
        if self.stored:
            require_stored_size(pixels, self.shape, image.path)
        try:
            return Ready([transform(pixels, self.shape, self.preprocessing)[None]])
        except ShapeError as error:
            raise ShapeError(error.problem, source=Source(image.path), expected=error.expected, fix=error.fix) from None

    def finish(self, image: ImageFile, sample: Ready) -> Judged:
        values = dict(zip(self.blobs, sample.outputs[0], strict=True))
        label = np.array([int(image.name.rpartition(" ")[2])])
        scores = values[self.blob].reshape(1, -1)
        require_classes(label, [image.path], self.blob, scores.shape[1])
        return ranks(scores, label)[0], {name: values[name] for name in self.reads if name in values}


def judged_on(
    scheduler: str, jobs: Sequence[tuple[ScoreJob, Path]], samples: Iterator[Sample], size: int
) -> Iterator[tuple[list[Sample], list[list[Judged]]]]:
    """Batches of samples, with what each job's model makes of them.

    Raises: NetsurgeryError for samples that are no image files, and for the first one that cannot be read.
    """
    held = list(samples)
    for sample in held:
        if not sample.place:
            raise NetsurgeryError(
                f"sample '{sample.name}' is no image file",
                expected="a list, a table or a folder of images, which the workers read",
                fix="leave out --scheduler",
            )
        if sample.label is None:
            raise NetsurgeryError("has no label", source=Source(sample.name), expected="a number")
    images = [ImageFile(sample.place, f"{k} {sample.label}") for k, sample in enumerate(held)]
    streams = [stream_on(scheduler, job, model, job.blobs, images) for job, model in jobs]
    together = zip(held, *streams, strict=True)
    while part := list(islice(together, size)):
        answers: list[list[Judged]] = [[] for _ in jobs]
        for _, *outcomes in part:
            for place, one in zip(answers, outcomes, strict=True):
                if one.error is not None or one.result is None:
                    raise one.error or NetsurgeryError("no result", source=Source(one.image.path))
                place.append(one.result)
        yield [sample for sample, *_ in part], answers


def alone(model: str | os.PathLike[str], folder: Path) -> Path:
    """A copy of a model, with the files that hold its numbers, in a folder of its own: what goes to the workers."""
    import onnx

    source = Path(model)
    folder.mkdir(parents=True)
    graph = onnx.load(source, load_external_data=False).graph
    names = {entry.value for tensor in graph.initializer for entry in tensor.external_data if entry.key == "location"}
    for name in (source.name, *names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.parent / name, folder / name)
    return folder / source.name


def rows(judged: Sequence[Judged]) -> dict[str, Any]:
    """The blobs that judges read, for a batch."""
    return {name: np.concatenate([values[name] for _, values in judged]) for name in judged[0][1]}
