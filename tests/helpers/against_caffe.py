"""netsurgery against real Caffe, at length, outside of the suite. Run where `netsurgery caffe install` was done:

    python tests/helpers/against_caffe.py random --layers 5000 --nets 500 --seed 1000 -o differences.txt
    python tests/helpers/against_caffe.py cases fixtures/conformance -o differences.txt

`random` draws nets of one layer, and of 5 to 15, and counts who agrees and who refuses. `cases` has Caffe compute the nets of case folders
on their recorded inputs and at the usual three sizes, and holds the exported model and the interpreter against it. What differs, and
what one side alone refuses, goes to the file with its net. Exit code: 1 if anything differs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cases
import live
import numpy as np
import random_layers
import random_nets

import netsurgery
from netsurgery.errors import NetsurgeryError, UnsupportedError
from netsurgery.verification.reports.report import Report
from netsurgery.verification.reports.text import difference
from netsurgery.verification.runtimes import caffe
from netsurgery.verification.side.recipe import CAFFE

BATCH = 250
"""Nets that Caffe is handed at a time."""


def random_trials(layers: int, nets: int, seed: int) -> Iterator[live.Trial]:
    for i in range(seed, seed + layers):
        drawn = random_layers.one_layer(np.random.default_rng(i))
        yield live.trial(f"{drawn.type}-{i}", drawn.text, i)
    for i in range(seed, seed + nets):
        yield live.trial(f"net-{i}", random_nets.whole_net(np.random.default_rng(i)), i)


def run_random(layers: int, nets: int, seed: int) -> tuple[str, list[str]]:
    """The table, and every difference and one-sided refusal."""
    one, whole = live.Tally(), live.Tally()
    trials = list(random_trials(layers, nets, seed))
    for first in range(0, len(trials), BATCH):
        some = trials[first : first + BATCH]
        with tempfile.TemporaryDirectory(prefix="netsurgery-") as folder:
            live.ask_caffe(some, Path(folder, "nets"))
        for tally, mine in ((one, False), (whole, True)):
            live.judge([t for t in some if t.name.startswith("net-") == mine], tally)
        print(f"{first + len(some)} of {len(trials)}", flush=True)
        trials[first : first + BATCH] = [live.Trial(t.name, "") for t in some]  # lets go of their blobs
    table = f"{layers} nets of one layer: {one}\n{nets} nets of 5 to 15 layers: {whole}\n"
    table += f"layers in those that were compared: {sum((one.types + whole.types).values())}, of {len(one.types + whole.types)} types"
    found = [
        f"{head}: {text}"
        for tally in (one, whole)
        for head, texts in (
            ("DIFFERS", tally.differ),
            ("ONLY WE REFUSE", tally.only_we_refuse),
            ("ONLY CAFFE REFUSES", tally.only_caffe_refuses),
        )
        for text in texts
    ]
    return table, found


@dataclass
class Compared:
    """What came of case folders."""

    agree: int = 0
    in_part: list[str] = field(default_factory=list)
    """Cases of which this Caffe lacks layers: it computed the others."""
    lacking: list[str] = field(default_factory=list)
    """Cases of which it has no layer."""
    refused: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    sizes: Counter[int] = field(default_factory=Counter)
    worst: float = 0.0

    def __str__(self) -> str:
        sizes = ", ".join(f"{n} at {k}" for k, n in sorted(self.sizes.items(), reverse=True))
        return (
            f"{self.agree} cases agree in all layers, {len(self.in_part)} in those that this Caffe has, {len(self.differ)} differ; "
            f"{len(self.lacking)} are not in this Caffe, {len(self.refused)} could not be compared; inputs or sizes: {sizes}; "
            f"worst {self.worst:.1e}"
        )


def run_cases(folders: list[Path]) -> tuple[str, list[str]]:
    done = Compared()
    side = caffe.open_side(CAFFE)
    caffe.open_side = lambda recipe: side  # one process for all: it starts anew where it ends
    for case in sorted(path.parent for folder in folders for path in folder.rglob("net.prototxt")):
        name = str(case)
        try:
            reports = list(case_reports(case))
        except UnsupportedError as error:
            done.lacking.append(f"{name}: {error}")
            continue
        except NetsurgeryError as error:
            done.refused.append(f"{name}: {error}")
            continue
        off = [report for report in reports if not report.agrees]
        if off:
            first = off[0].first_difference
            done.differ.append(
                f"{name}: {off[0].runtime}: " + "\n".join(difference(first) if first else [off[0].sentence])
            )
        elif lacks := [note for report in reports for note in report.notes if "it computes what stands before" in note]:
            done.in_part.append(f"{name}: {lacks[0]}")
        else:
            done.agree += 1
        done.sizes[len({c.title for report in reports for c in report.cases})] += 1
        worst = [report.worst.measure.max_rel for report in reports if report.worst is not None]
        done.worst = max(done.worst, *worst, 0.0) if not off else done.worst
        print(f"{name}: {'DIFFERS' if off else 'agrees'}", flush=True)
    heads = {
        "DIFFERS": done.differ,
        "IN PART": done.in_part,
        "NOT IN THIS CAFFE": done.lacking,
        "REFUSED": done.refused,
    }
    return str(done), [f"{head}: {text}" for head, texts in heads.items() for text in texts]


def case_reports(case: Path) -> Iterator[Report]:
    """The exported model, and the interpreter, against Caffe: on each recorded input, and at the usual sizes."""
    net = cases.load(case)
    model = netsurgery.to_onnx(net).SerializeToString()
    recorded = [inputs for inputs, _ in cases.runs(case) if inputs] if (case / "runs.npz").exists() else []
    for subject in (model, net):
        usual = netsurgery.verify(net, subject, against="caffe")
        yield usual
        for inputs in recorded[: max(0, 3 - len(usual.cases))] or recorded[:1]:
            yield netsurgery.verify(net, subject, against="caffe", inputs=inputs)


def main() -> int:
    parser = argparse.ArgumentParser(description="netsurgery against real Caffe, at length")
    parser.add_argument("what", choices=("random", "cases"))
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--layers", type=int, default=5000)
    parser.add_argument("--nets", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    if live.python() is None:
        parser.error("real Caffe is not here: netsurgery caffe install makes it")
    began = time.perf_counter()
    table, found = (
        run_random(asked.layers, asked.nets, asked.seed) if asked.what == "random" else run_cases(asked.folders)
    )
    print(f"{table}\n{time.perf_counter() - began:.0f} s")
    if asked.output is not None:
        asked.output.write_text("\n\n".join([table, *found]) + "\n")
    return int(any(text.startswith("DIFFERS") for text in found))


if __name__ == "__main__":
    raise SystemExit(main())
