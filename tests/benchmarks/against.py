"""Whether nets became faster or slower: the models that another checkout writes against ours, both with the same made-up weights.

    python tests/benchmarks/against.py convert CHECKOUT DIR KEEP     # writes KEEP/NET.{old,new}.onnx, KEEP/NET.npz
    python tests/benchmarks/against.py time KEEP [NET ...] [--rounds 7] [--threads 2] [--processor]

`time` prints for each net the medians of interleaved turns, and how far the outputs are apart. A net of which a turn takes more than
--most seconds is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import turn

from netsurgery import NetsurgeryError
from netsurgery.exporters.onnx.session import session
from netsurgery.formats.options import Reading
from netsurgery.passes.prepare import prepare
from netsurgery.verification.feeds import random_feed, ranges

SIDES = ("old", "new")
HERE = Path(__file__).parents[2]


def convert(asked: Any) -> None:
    """Writes both models and an input for each net below a folder that both checkouts convert."""
    asked.keep.mkdir(parents=True, exist_ok=True)
    for path in sorted(asked.folder.rglob("*.prototxt")):
        feeds = asked.keep / f"{path.stem}.npz"
        if feeds.exists():
            continue
        try:
            _, net = prepare(path, None, Reading(initialize="random"))
            shapes = {name: tuple(n if isinstance(n, int) else 1 for n in net.shapes()[name]) for name in net.inputs}
            arrays = random_feed(net, shapes, 0, 0, ranges(net)).arrays
        except (NetsurgeryError, MemoryError, ValueError) as error:
            print(f"{path.stem}: {str(error).splitlines()[0]}", flush=True)
            continue
        for side, checkout in zip(SIDES, (asked.checkout, HERE), strict=True):
            command = [sys.executable, "-P", "-m", "netsurgery", "convert", str(path), "--initialize=random", "--quiet"]
            command += ["--weights", "embed", "-o", str(asked.keep / f"{path.stem}.{side}.onnx")]
            done = subprocess.run(
                command, env=os.environ | {"PYTHONPATH": str(checkout)}, capture_output=True, text=True
            )
            if done.returncode:
                print(f"{path.stem}, {side}: {done.stderr.strip().splitlines()[:1]}", flush=True)
                break
        else:
            np.savez(feeds, **arrays)


def compare(asked: Any) -> None:
    for name in asked.nets or sorted(path.stem for path in asked.keep.glob("*.npz")):
        arrays = dict(np.load(asked.keep / f"{name}.npz"))
        sessions = {side: session(asked.keep / f"{name}.{side}.onnx", threads=asked.threads) for side in SIDES}
        feeds = {i.name: arrays[i.name] for i in sessions["new"].get_inputs() if i.name in arrays}
        runs = {side: partial(s.run, None, feeds) for side, s in sessions.items()}
        clock = time.process_time if asked.processor else time.perf_counter
        if turn(runs["new"], clock) > asked.most:
            print(f"{name}: more than {asked.most} s", flush=True)
            continue
        old, new = (run() for run in runs.values())
        turns: dict[str, list[float]] = {side: [] for side in SIDES}
        for number in range(asked.rounds):
            for side in SIDES[:: 1 if number % 2 else -1]:
                turns[side].append(turn(runs[side], clock))
        before, after = (statistics.median(turns[side]) for side in SIDES)
        print(
            f"{after / before:.3f} {before * 1e3:8.1f} {after * 1e3:8.1f} ms {apart(old, new):.0e} {name}", flush=True
        )


def apart(old: list[Any], new: list[Any]) -> float:
    """The largest difference of an output to the other's largest number; infinite where sizes differ."""
    worst = 0.0
    for a, b in zip(old, new, strict=False):
        if a.shape != b.shape:
            return float("inf")
        worst = max(worst, float(abs(a - b).max(initial=0) / (abs(a).max(initial=0) or 1)))
    return worst


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether nets became faster or slower than those of another checkout.")
    commands = parser.add_subparsers(required=True)
    both = commands.add_parser("convert")
    both.add_argument("checkout", type=Path)
    both.add_argument("folder", type=Path)
    both.add_argument("keep", type=Path)
    both.set_defaults(do=convert)
    timed = commands.add_parser("time")
    timed.add_argument("keep", type=Path)
    timed.add_argument("nets", nargs="*")
    timed.add_argument("--rounds", type=int, default=7)
    timed.add_argument("--threads", type=int, default=2)
    timed.add_argument("--processor", action="store_true", help="processor time instead of wall time, with --threads 1")
    timed.add_argument("--most", type=float, default=5.0)
    timed.set_defaults(do=compare)
    asked = parser.parse_args()
    asked.do(asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
