"""Where the time of published nets goes, by type of layer: onnxruntime's profile of each net, mapped back to Caffe's layers.

    python tests/benchmarks/profile_nets.py DIR [--rounds 5] [--macs 8e9] [--threads 2] [--json OUT] [--plain]

Every *.prototxt below DIR that converts is run with weights made up, at the size that it declares; nets of more multiply-accumulates
than --macs are left out. For each type: its share of all nets' time (each net counts as one), in how many nets it takes more than a
twentieth, and the net in which it weighs most.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import netsurgery
from netsurgery.formats.options import Reading
from netsurgery.passes.prepare import prepare
from netsurgery.verification.times import Times, time_net

NOBODY = "(layout, casts)"
"""What onnxruntime adds on its own and no layer has."""
LARGE = 0.05


def main() -> int:
    parser = argparse.ArgumentParser(description="Where the time of published nets goes, by type of layer.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--macs", type=float, default=8e9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--plain", action="store_true", help="the model of `convert --plain`")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    shares: dict[str, Mapping[str, float]] = {}
    seconds: dict[str, float] = {}
    for path in sorted(asked.folder.rglob("*.prototxt")):
        try:
            times = profile(path, asked)
        except (netsurgery.NetsurgeryError, MemoryError) as error:
            print(f"{path.stem}: {str(error).splitlines()[0]}", file=sys.stderr)
            continue
        if times is not None:
            shares[path.stem], seconds[path.stem] = by_type(times), times.total
            print(f"{path.stem}: {times.total * 1e3:.1f} ms", file=sys.stderr)
    table(shares)
    if asked.json:
        asked.json.write_text(json.dumps({"seconds": seconds, "shares": shares}, indent=1))
    return 0 if shares else 2


def profile(path: Path, asked: Any) -> Times | None:
    """The net's times; None if it is too large."""
    _, net = prepare(path, None, Reading(initialize="random"))
    shapes = {name: [n if isinstance(n, int) else 1 for n in shape] for name, shape in net.shapes().items()}
    counts = [
        layer.kind.macs([shapes[b] for b in layer.bottoms], [shapes[t] for t in layer.tops]) for layer in net.layers
    ]
    if sum(n for n in counts if isinstance(n, int)) > asked.macs:
        return None
    with TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        netsurgery.save_onnx(net, model, plain=asked.plain)
        return time_net(net, model, rounds=asked.rounds, threads=asked.threads, caffe=False)


def by_type(times: Times) -> dict[str, float]:
    """Each type's part of the profiled time of one net."""
    spent: dict[str, float] = defaultdict(float, {NOBODY: times.other})
    for layer in times.layers:
        spent[layer.type] += layer.seconds
    whole = sum(spent.values()) or 1.0
    return {type: value / whole for type, value in spent.items() if value}


def table(shares: Mapping[str, Mapping[str, float]]) -> None:
    rows = []
    for type in {type for share in shares.values() for type in share}:
        parts = {net: share.get(type, 0.0) for net, share in shares.items()}
        worst = max(parts, key=lambda net: parts[net])
        large = sum(part > LARGE for part in parts.values())
        rows.append((sum(parts.values()) / len(shares), type, large, parts[worst], worst))
    print("| type | share of all | nets above 5 % | most | in |\n|---|---|---|---|---|")
    for share, type, large, most, worst in sorted(rows, reverse=True):
        print(f"| {type} | {share:.1%} | {large} | {most:.0%} | {worst} |")


if __name__ == "__main__":
    sys.exit(main())
