"""Where the images of a job are worked on: here, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from ..net import Net
from ..options import Flag, Kind, option, whole
from .images import ImageFile
from .model import Model, model_file
from .pipeline import Job, Outcome, stream

R = TypeVar("R")


@dataclass(frozen=True)
class Work:
    """Where and how the images of a job are worked on: keywords of `run_job`, and of the functions that do many images."""

    scheduler: str | None = option(
        None, Kind(metavar="tcp://HOST:8786"), "scheduler", "A Dask scheduler, whose workers do it."
    )
    threads: int | None = option(None, whole(1), "threads", "Threads. Default: one for each core.")
    keep: bool = option(True, Flag(yes=False, no=True), "no-cache", "Keep no model in the cache directory.")


def run_one(job: Job[R], model: Model, image: NDArray[Any] | str) -> R:
    """What becomes of one image, a path or RGB (H, W, 3). Raises: NetsurgeryError."""
    sample = job.prepare(job.read(image) if isinstance(image, str) else image)
    sample.outputs = [model.run(x) for x in sample.inputs]
    return job.finish(ImageFile(image if isinstance(image, str) else "the image", ""), sample)


def run_job(
    job: Job[R],
    net: Net,
    blobs: Sequence[str],
    images: Sequence[ImageFile],
    *,
    free: bool = False,
    keep: bool = False,
    scheduler: str | None = None,
    threads: int | None = None,
) -> Iterator[Outcome[R]]:
    """What becomes of each image, in order. `blobs` of the net are what the job works with; `free`: see `model_file`; `keep`
    keeps the model in the user's cache; `scheduler` is the address of a Dask cluster, whose workers do it; `threads`: None is one for
    each core.

    Raises: NetsurgeryError if the model cannot be made, or the cluster is not there.
    """
    with model_file(net, blobs, free=free, keep=keep) as path:
        if scheduler is None:
            model = Model(path, blobs, threads)
            yield from stream(job, model, images, threads=threads)
        else:
            from .cluster import stream_on

            yield from stream_on(scheduler, job, path, blobs, images)
