"""Wall time, processor time and peak memory of whole processes, as the kernel accounts for them."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Taken:
    """What one process took. `rss` is its largest resident set in bytes (ru_maxrss), mapped pages of files included."""

    wall: float
    cpu: float
    rss: int


# Run by a process that is itself small: on Linux a child's largest resident set begins with that of the process it was made from.
_WATCH = """
import json, os, sys, time
began = time.perf_counter()
null = os.open(os.devnull, os.O_RDWR)
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, null, i) for i in (0, 1, 2)])
_, status, usage = os.wait4(child, 0)
print(json.dumps([time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, status]))
"""


def process(command: Sequence[str]) -> Taken:
    """Runs a command that must succeed."""
    watch = [sys.executable, "-I", "-S", "-c", _WATCH, *command]
    wall, cpu, rss, status = json.loads(subprocess.run(watch, capture_output=True, text=True, check=True).stdout)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed")
    return Taken(wall, cpu, rss * (1 if sys.platform == "darwin" else 1024))


def in_turn(work: Mapping[str, Callable[[], Taken]], rounds: int) -> dict[str, Taken]:
    """The median of every measure, all kinds of work taking turns, so that what else the machine does meets them alike."""
    found: dict[str, list[Taken]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            found[name].append(run())
    return {
        name: Taken(
            statistics.median(t.wall for t in taken),
            statistics.median(t.cpu for t in taken),
            max(t.rss for t in taken),
        )
        for name, taken in found.items()
    }


def here(run: Callable[[], object]) -> Taken:
    """What a call takes in this process, memory aside."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    run()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Taken(time.perf_counter() - began, cpu, 0)


REST = 0.15
"""Seconds before a turn: until then the threads of the one before spin in wait for more (OpenBLAS's, longest)."""


def turn(run: Callable[[], object], clock: Callable[[], float]) -> float:
    """A turn's seconds, when it has just run once: those that it says, else those that pass here."""
    time.sleep(REST)
    run()
    began = clock()
    told = run()
    return told if isinstance(told, float) else clock() - began
