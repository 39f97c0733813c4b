"""Feeds for a net that takes and gives its recurrent states: one step after another, as its user runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..interpreter import run
from ..net import Net
from ..passes.recurrent_state import state_outputs
from .feeds import Feed

STEPS = 4


def in_steps(net: Net, feeds: Iterable[Feed]) -> Iterator[Feed]:
    """The feeds; of a net that `recurrent_state` made each becomes several: the states are zeros, then what the net itself gives for the
    step before."""
    states = state_outputs(net)
    if not states:
        yield from feeds
        return
    for feed in feeds:
        arrays = {**feed.arrays, **{name: np.zeros_like(feed.arrays[name]) for name in states}}
        for step in range(1, STEPS + 1):
            yield replace(feed, title=f"{feed.title}, step {step}", arrays=arrays)
            values = run(net, arrays, states.values())
            arrays = {**arrays, **{name: values[output] for name, output in states.items()}}
