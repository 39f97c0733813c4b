"""Case folders in real Caffe2: exported, run, and held against Caffe's numbers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cases
import numpy as np

import netsurgery
from netsurgery.exporters.caffe2.export import Caffe2Net
from netsurgery.verification.side.process import Side

Array = np.ndarray[Any, Any]


def loaded(case: Path) -> netsurgery.Net:
    """The net of a case; those of surgery made fully convolutional, as their numbers are of those."""
    net = cases.load(case)
    return netsurgery.convolutionalize(net) if "surgery" in case.parts else net


def ask(side: Side, folder: Path, feeds: dict[str, Array], blobs: Iterable[str]) -> dict[str, Array]:
    """The values of blobs of the NetDefs in a folder, computed by Caffe2."""
    inputs, outputs = folder / "inputs.npz", folder / "outputs.npz"
    np.savez(inputs, allow_pickle=False, **{str(i): array for i, array in enumerate(feeds.values())})
    request = {
        "do": "run",
        "init": str(folder / "init_net.pb"),
        "predict": str(folder / "predict_net.pb"),
        "inputs": str(inputs),
        "names": list(feeds),
        "outputs": str(outputs),
        "blobs": list(blobs),
    }
    names = side.ask(request)["names"]
    with np.load(outputs) as arrays:
        return {name: arrays[str(i)] for i, name in enumerate(names)}


def fits(made: Caffe2Net, feeds: dict[str, Array]) -> bool:
    """Whether the sizes that were exported take these inputs."""
    return all(
        len(sizes) == feeds[name].ndim
        and all(not isinstance(n, int) or n == m for n, m in zip(sizes, feeds[name].shape, strict=True))
        for name, sizes in made.inputs.items()
    )


def check(case: Path, side: Side, net: netsurgery.Net | None = None) -> tuple[int, Caffe2Net, str]:
    """How many exports all recorded runs took (1: sizes are free), the first of them, and what is wrong, "" if nothing.

    Raises: NetsurgeryError for what is refused, or fails in Caffe2."""
    net = loaded(case) if net is None else net
    first = made = netsurgery.to_caffe2(net)
    exports = 0
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number, (feeds, want) in enumerate(cases.runs(case)):
            other = not fits(made, feeds)
            if other:
                made = netsurgery.to_caffe2(net, input_shapes={k: v.shape for k, v in feeds.items()})
            if other or not number:
                made.save(folder)
                exports += 1
            written = {output for op in made.predict.op for output in op.output}
            got = ask(side, folder, feeds, [blob for blob in want if blob in written])
            lacking = [blob for blob in made.predict.external_output if blob in want and blob not in got]
            if lacking or not got:
                return exports, first, f"run {number}: no {', '.join(lacking) or 'blob of Caffe'}"
            for blob, array in got.items():
                if array.dtype != np.float32:
                    return exports, first, f"run {number}: {blob} is {array.dtype}"
                if problem := cases.difference(array, want[blob]):
                    return exports, first, f"run {number}: {blob}: {problem}"
    return exports, first, ""
