"""How much memory and how many threads the interpreter takes for what it makes on the way, and work cut into tiles that keep to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from itertools import product
from typing import Any

MEMORY = ContextVar("MEMORY", default=256 << 20)
"""Bytes that a layer may take besides its bottoms, tops and weights. `run` sets it."""

THREADS = ContextVar("THREADS", default=1)
"""Among how many threads a layer's tiles are divided; with one, BLAS has threads of its own."""

LET_GO: ContextVar[Callable[[Any], None]] = ContextVar("LET_GO", default=lambda part: None)
"""What is done with a part of large weights that was read: its memory may be given back."""

CACHE = 4 << 20
"""Bytes that stay in a processor's cache: tiles are no larger than they need be."""


def tiles(sizes: Sequence[int], count: int) -> Iterator[tuple[slice, ...]]:
    """Boxes of at most `count` places each (one at least) that cover an array of these sizes, last axis first."""
    steps: list[int] = []
    for n in reversed(sizes):
        steps.append(max(1, min(n, count)))
        count //= steps[-1]
    spans = [range(0, n, step) for n, step in zip(sizes, reversed(steps), strict=True)]
    for starts in product(*spans):
        yield tuple(slice(start, min(start + span.step, span.stop)) for start, span in zip(starts, spans, strict=True))


def each(work: Callable[[tuple[slice, ...]], None], boxes: Iterable[tuple[slice, ...]]) -> None:
    """`work` on each box, by as many threads as are set."""
    if THREADS.get() == 1:
        for box in boxes:
            work(box)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(THREADS.get()) as pool:
        for done in [pool.submit(copy_context().run, work, box) for box in boxes]:
            done.result()


@contextmanager
def side_by_side(let_go: Callable[[Any], None]) -> Iterator[None]:
    """Computing beside something else: tiles are divided among threads here, and BLAS keeps to one (its own wait for each other in loops,
    and take the processor from the other); `let_go` is handed what was read of large weights."""
    from threadpoolctl import threadpool_limits

    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = THREADS.set(max(1, int(asked)) if asked.isdigit() else os.cpu_count() or 1)
    before = LET_GO.set(let_go)
    try:
        with threadpool_limits(1, "blas"):
            yield
    finally:
        THREADS.reset(threads)
        LET_GO.reset(before)
