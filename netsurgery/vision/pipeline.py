"""Many images through a net: read and prepared by some threads, run in batches, finished by the same threads; in order, a few at a time.

read, prepare    image 9 10 11 12 | 13 14 ..              threads
batch, run                  5 6 7 8 | 1 2 3 4             two threads, of which one is in onnxruntime, with every core
finish                                         0          threads
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..exporters.onnx.session import cores
from ..files.images import read_image
from .images import ImageFile
from .model import Model

Array = NDArray[np.float32]
R = TypeVar("R")

WINDOW = 8
"""Images whose runs are put together where sizes are equal."""

BATCH_PIXELS = 1 << 20
"""Pixels of one batch at most, so that a net's blobs keep to a bounded memory."""


@dataclass
class Sample:
    """An image that is ready: `inputs`, each (k, C, H, W), are to be run; `more` is what finishing it needs."""

    inputs: Sequence[Array]
    more: Any = None
    outputs: list[list[Array]] = field(default_factory=list)
    """For each input, the blobs that the model gave, each (k, ...)."""

    finished: bool = False
    """Whether `more` is the result already."""


class Job(Generic[R]):
    """What is done with each image. Jobs go to other machines: they hold nothing large."""

    def read(self, path: str) -> NDArray[Any]:
        """The pixels of a file. Raises: NetsurgeryError."""
        return read_image(path)

    def load(self, image: ImageFile) -> Sample:
        """What the net is to be run on for an image that is not read yet. Raises: NetsurgeryError."""
        return self.prepare(self.read(image.path))

    def prepare(self, image: NDArray[Any]) -> Sample:
        """What the net is to be run on. Raises: NetsurgeryError for an image that does not fit."""
        raise NotImplementedError

    def finish(self, image: ImageFile, sample: Sample) -> R:
        """What is made of what the net gave."""
        raise NotImplementedError

    def done(self, image: ImageFile) -> R | None:
        """The result of an earlier run, if it is there."""
        return None


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of an image: its result, or why there is none."""

    image: ImageFile
    result: R | None = None
    error: NetsurgeryError | None = None
    skipped: bool = False
    """Whether the result was there already."""


def stream(
    job: Job[R], model: Model, images: Iterable[ImageFile], *, threads: int | None = None
) -> Iterator[Outcome[R]]:
    """Does the job on every image, in order. An image that cannot be read, or does not fit, gives its error, and the rest goes on.

    At most 6 * WINDOW images are held at a time, however many there are.
    """
    source, turn = iter(images), Lock()
    named: Any = {"thread_name_prefix": "netsurgery"}
    with ThreadPoolExecutor(threads or cores() + 1, **named) as pool, ThreadPoolExecutor(2, **named) as runners:
        ahead: deque[tuple[ImageFile, Future[Sample]]] = deque()
        running: deque[Future[list[tuple[ImageFile, Sample | Future[Any]]]]] = deque()
        behind: deque[tuple[ImageFile, Future[Outcome[R]]]] = deque()
        try:
            while True:
                for image in islice(source, 2 * WINDOW - len(ahead)):
                    ahead.append((image, pool.submit(_prepared, job, image)))
                if ahead:
                    window = [ahead.popleft() for _ in range(min(WINDOW, len(ahead)))]
                    running.append(runners.submit(_run, model, window, turn))
                    if len(running) < 2:
                        continue
                if not running:
                    break
                for image, sample in running.popleft().result():
                    behind.append(
                        (image, sample if isinstance(sample, Future) else pool.submit(_finished, job, image, sample))
                    )
                while len(behind) > WINDOW or (behind and behind[0][1].done()):
                    yield _outcome(*behind.popleft())
            while behind:
                yield _outcome(*behind.popleft())
        finally:
            waiting: list[Future[Any]] = [*running, *(future for _, future in ahead), *(future for _, future in behind)]
            for future in waiting:
                future.cancel()


def _prepared(job: Job[R], image: ImageFile) -> Sample:
    former = job.done(image)
    return job.load(image) if former is None else Sample((), former, finished=True)


def _finished(job: Job[R], image: ImageFile, sample: Sample) -> Outcome[R]:
    if sample.finished:
        return Outcome(image, sample.more, skipped=True)
    return Outcome(image, job.finish(image, sample))


def _run(
    model: Model, window: Sequence[tuple[ImageFile, Future[Sample]]], turn: Lock
) -> list[tuple[ImageFile, Sample | Future[Any]]]:
    """The images of a window after their runs, inputs of one size in one batch; those that failed as they are."""
    samples = [future.result() for _, future in window if future.exception() is None]
    waiting: dict[tuple[int, ...], list[tuple[Sample, int]]] = {}
    for sample in samples:
        sample.outputs = [[] for _ in sample.inputs]
        for i, x in enumerate(sample.inputs):
            waiting.setdefault(x.shape[1:], []).append((sample, i))
    for shape, places in waiting.items():
        at_once = max(1, BATCH_PIXELS // max(1, shape[-1] * shape[-2]))
        batch: list[tuple[Sample, int]] = []
        for sample, i in places:
            if batch and sum(len(s.inputs[j]) for s, j in batch) + len(sample.inputs[i]) > at_once:
                _run_batch(model, batch, turn)
                batch = []
            batch.append((sample, i))
        _run_batch(model, batch, turn)
    done: list[tuple[ImageFile, Sample | Future[Any]]] = []
    for image, future in window:
        if (error := future.exception()) is None:
            sample = future.result()
            sample.inputs = ()  # done with
            done.append((image, sample))
        else:
            if not isinstance(error, NetsurgeryError):
                raise error
            done.append((image, future))
    return done


def _run_batch(model: Model, batch: Sequence[tuple[Sample, int]], turn: Lock) -> None:
    """Runs the inputs together and gives each sample its share. Blobs without a batch axis of that length cannot be shared out."""
    parts = [sample.inputs[i] for sample, i in batch]
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    with turn:
        blobs = model.run(whole)
    start = 0
    for (sample, i), part in zip(batch, parts, strict=True):
        sample.outputs[i] = [blob[start : start + len(part)] for blob in blobs] if len(batch) > 1 else blobs
        start += len(part)


def _outcome(image: ImageFile, future: Future[Outcome[R]]) -> Outcome[R]:
    error = future.exception()
    if error is None:
        return future.result()
    if not isinstance(error, NetsurgeryError):
        raise error
    return Outcome(image, error=error)
