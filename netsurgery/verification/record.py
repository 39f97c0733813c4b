"""Seeded inputs and the numbers that come out, in one file, for comparisons later and elsewhere (on_recorded.py reads it)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import NetsurgeryError
from ..files.arrays import member_of, name_of
from ..files.output import replacing
from ..formats.options import Reading
from ..net import Net, as_names, require_net
from ..passes.options import Surgery
from ..passes.prepare import prepare
from .check import feeds
from .compare import as_float32
from .environment import hashes, versions
from .feeds import Range, with_defaults
from .options import Comparing, Inputs
from .runtimes.netsurgery import Interpreter
from .runtimes.recorded import ABOUT
from .runtimes.table import open_opinion


@dataclass(frozen=True)
class Recording:
    """What was recorded: a line for each run, the blobs, and what computed them."""

    path: str
    runs: tuple[str, ...]
    blobs: tuple[str, ...]
    computed_by: str
    notes: tuple[str, ...] = ()


def record(
    net: Net,
    path: str | os.PathLike[str],
    *,
    sizes: Sequence[int | Sequence[int]] = (),
    batches: Sequence[int] = (),
    shapes: Sequence[Mapping[str, Sequence[int]]] = (),
    images: Sequence[str | os.PathLike[str]] = (),
    inputs: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Range | Sequence[float]] | None = None,
    by: str = "netsurgery",
    outputs: Sequence[str] | None = None,
    every_blob: bool = False,
    seed: int = 0,
) -> Recording:
    """Runs the net and writes inputs and outputs to a .npz, with versions and hashes: the same net and seed give the same bytes. Inputs
    are chosen as `netsurgery.verify` chooses them. `by` computes them: "netsurgery" (in float64, stored as float32), "caffe" or "opencv".
    `every_blob` stores the blobs between as well.

    Raises: NetsurgeryError."""
    require_net(net)
    outputs = None if outputs is None else as_names(outputs)
    asked = Inputs(sizes, batches, images, inputs or {}, ranges or {}, seed, shapes)
    return record_inputs(net, path, asked, Comparing([by], outputs=outputs, inner=every_blob))


def record_files(
    prototxt: Path,
    weights: Path | None,
    output: Path,
    reading: Reading,
    surgery: Surgery,
    inputs: Inputs,
    comparing: Comparing,
) -> Recording:
    """What `netsurgery record` does. Raises: NetsurgeryError."""
    if output.suffix != ".npz":
        raise NetsurgeryError(f"cannot record into '{output}'", expected="a name that ends in .npz")
    loaded, net = prepare(prototxt, weights, reading, surgery)
    return record_inputs(net, output, with_defaults(inputs, reading, loaded), comparing)


def record_inputs(net: Net, path: str | os.PathLike[str], asked: Inputs, comparing: Comparing) -> Recording:
    """`record`, its options as values: which blobs are recorded, and who computes them, is said as for a comparison with that one.
    Raises: NetsurgeryError."""
    (by,) = comparing.against
    runtime = open_opinion(by, net, None)
    ends = list(comparing.outputs) if comparing.outputs is not None else list(net.outputs)
    for blob in ends:
        net.writer(blob)  # raises, with a suggestion
    blobs = list(dict.fromkeys([*(b for b in net.blobs if comparing.inner and b not in net.inputs), *ends]))
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    titles, notes = [], [runtime.note] if runtime.note else []
    for run, feed in enumerate(feeds(asked, net, Interpreter(net).inputs)):
        values = runtime.run(feed.arrays, blobs)
        lost = [blob for blob in ends if blob not in values]
        if lost:
            raise NetsurgeryError(f"{runtime.name} gives no numbers for {', '.join(lost)}")
        arrays |= {f"{run}/in/{member_of(blob)}": array for blob, array in feed.arrays.items()}
        arrays |= {
            f"{run}/out/{member_of(blob)}": as_float32(array).astype(np.float32) for blob, array in values.items()
        }
        titles.append(feed.title)
        notes += [note for note in feed.notes if note not in notes]
    computed_by = "netsurgery.run (float64)" if by == "netsurgery" else runtime.name
    stored = {name_of(key.split("/", 2)[2]) for key in arrays if "/out/" in key}
    about = {
        "computed_by": computed_by,
        "by_interpreter": [blob for blob in net.blobs if blob in stored and not runtime.voucher(blob)],
        "net": net.name,
        "seed": asked.seed,
        "runs": titles,
        "versions": {**versions(), **runtime.versions},
        "sha256": hashes(net, None),
    }
    arrays[ABOUT] = np.array(json.dumps(about, indent=1, sort_keys=True))
    with replacing(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return Recording(
        os.fspath(path), tuple(titles), tuple(b for b in net.blobs if b in stored), computed_by, tuple(notes)
    )
