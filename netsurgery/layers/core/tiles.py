"""How much memory the interpreter takes for what it makes on the way, and work cut into tiles that keep to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from itertools import product

MEMORY = ContextVar("MEMORY", default=256 << 20)
"""Bytes that a layer may take besides its bottoms, tops and weights. `run` sets it."""

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
