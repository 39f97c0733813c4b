"""Many tasks, in processes of their own that share the cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, TypeVar

from ..layers import load_plugin

T = TypeVar("T")
R = TypeVar("R")

THREADS = "OMP_NUM_THREADS"
"""What bounds the threads of BLAS, and of our onnxruntime."""


def in_processes(
    work: Callable[[T], R],
    tasks: Sequence[T],
    jobs: int,
    plugins: Sequence[str | os.PathLike[str]],
    dead: Callable[[T, str], R],
) -> Iterator[R]:
    """What `work` makes of each task, as each is done: here, or with more jobs than one in as many processes that share the cores (0:
    one for each core). `dead` says what becomes of a task whose process died."""
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        yield from map(work, tasks)
        return
    # a process that dies takes the pool with it: what was not done is then done again, each in a pool of its own
    left: list[T] = []
    options: Any = {"mp_context": get_context("spawn"), "initializer": _load, "initargs": (plugins,)}
    with _sharing_cores(jobs):
        with ProcessPoolExecutor(jobs, **options) as pool:
            running = {pool.submit(work, task): task for task in tasks}
            for future in as_completed(running):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    left.append(running[future])
        for task in left:
            with ProcessPoolExecutor(1, **options) as pool:
                try:
                    yield pool.submit(work, task).result()
                except BrokenProcessPool:
                    yield dead(task, "its process died: out of memory, or a crash of the runtime")


def _load(plugins: Sequence[str | os.PathLike[str]]) -> None:
    for plugin in plugins:
        load_plugin(plugin)


@contextmanager
def _sharing_cores(jobs: int) -> Iterator[None]:
    """Processes started meanwhile take their share of the cores, unless the user said how many threads."""
    if THREADS in os.environ:
        yield
        return
    os.environ[THREADS] = str(max(1, (os.cpu_count() or 1) // jobs))
    try:
        yield
    finally:
        del os.environ[THREADS]
