"""Images worked on by a Dask cluster: the model goes to each worker once, images are read and results written by the workers.

A worker that is lost takes nothing with it: its images are done again elsewhere, and files that it had finished are found finished.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..errors import NetsurgeryError
from ..files.boundary import package
from ..files.urls import is_url
from .images import ImageFile
from .pipeline import WINDOW, Job, Outcome, stream

R = TypeVar("R")

PATIENCE = 30
"""Seconds to wait for the scheduler, and for a first worker."""


def stream_on(
    scheduler: str, job: Job[R], model: Path, blobs: Sequence[str], images: Sequence[ImageFile]
) -> Iterator[Outcome[R]]:
    """As `pipeline.stream`, on the workers of a Dask scheduler.

    Raises: NetsurgeryError if it cannot be reached, or has no workers.
    """
    distributed = _distributed()
    name = f"netsurgery-{secrets.token_hex(8)}"
    from .shipped import Shipped

    files = {file.name: file.read_bytes() for file in model.parent.iterdir()}
    with _client(distributed, scheduler) as client:
        client.register_plugin(Shipped(job, files, model.name, blobs), name=name)
        try:
            yield from _in_order(distributed, client, name, [_everywhere(image) for image in images])
        except (OSError, concurrent.futures.CancelledError, asyncio.CancelledError):
            raise NetsurgeryError(
                "the cluster is gone",
                expected=f"a scheduler at {scheduler}",
                fix="start it again; what is finished is kept",
            ) from None
        finally:
            with suppress(OSError, TimeoutError, concurrent.futures.CancelledError, asyncio.CancelledError):
                client.unregister_worker_plugin(name)


def _in_order(distributed: Any, client: Any, name: str, images: Sequence[ImageFile]) -> Iterator[Outcome[Any]]:
    """The outcomes of all images; only as many chunks are under way as keep the workers busy."""
    chunks = deque(images[i : i + WINDOW] for i in range(0, len(images), WINDOW))
    under_way: deque[tuple[Sequence[ImageFile], Any]] = deque()

    def submit(chunk: Sequence[ImageFile]) -> tuple[Sequence[ImageFile], Any]:
        return chunk, client.submit(work, name, chunk, pure=False)

    while chunks or under_way:
        limit = 4 + 2 * sum(client.nthreads().values())
        while chunks and len(under_way) < limit:
            under_way.append(submit(chunks.popleft()))
        chunk, future = under_way.popleft()
        try:
            yield from future.result()
        except distributed.KilledWorker:  # an image of this chunk, or of one that was waiting beside it, kills workers
            for image in chunk:
                for _, other in under_way:
                    other.exception()  # waits until it is done: then nothing runs but this image
                try:
                    yield from submit([image])[1].result()
                except distributed.KilledWorker:
                    yield Outcome(image, error=NetsurgeryError(f"{image.path}: every worker that took it was lost"))


def work(name: str, images: Sequence[ImageFile]) -> list[Outcome[Any]]:
    """Called by Dask on a worker: the outcomes of some images, errors as text alone."""
    from distributed import get_worker

    shipped: Any = get_worker().plugins[name]
    done = stream(shipped.job, shipped.opened(), images, threads=shipped.threads)
    return [replace(one, error=NetsurgeryError(str(one.error))) if one.error else one for one in done]


def _distributed() -> Any:
    with package("working on a cluster needs the package distributed", "netsurgery[cluster]"):
        import distributed
    return distributed


def _client(distributed: Any, scheduler: str) -> Any:
    try:
        client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise NetsurgeryError(
            f"the scheduler {scheduler} cannot be reached: {str(error) or type(error).__name__}",
            expected="the address of a Dask scheduler, such as tcp://host:8786",
            fix="start one: dask scheduler",
        ) from None
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        client.close()
        raise NetsurgeryError(
            f"the scheduler {scheduler} has no workers", fix=f"start some: dask worker {scheduler}"
        ) from None
    return client


def _everywhere(image: ImageFile) -> ImageFile:
    """A local path as every machine that shares the disk knows it."""
    return image if is_url(image.path) else replace(image, path=os.path.abspath(image.path))
