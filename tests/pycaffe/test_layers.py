"""Every BVLC layer type forward and backward, in place as well, against real Caffe's numbers: fixtures/pycaffe-layers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsurgery.pycaffe as caffe

RECORDED = np.load(Path(__file__).parents[2] / "fixtures" / "pycaffe-layers" / "layers.npz")
CASES: dict[str, Any] = json.loads(str(RECORDED["cases"]))
NUMBERS = RECORDED["numbers"]
TOLERANCE = 1e-4

pytest.importorskip("torch")


class Case:
    """A net, run twice as it was when the numbers were recorded. `#` tags: int5: labels below 5; noforce, train, loss; nob: no backward."""

    def __init__(self, name: str, folder: Path) -> None:
        text, *tags = CASES[name][""].split("#")
        self.tags = {tag.strip() for tag in tags}
        self.rng = np.random.RandomState(sum(map(ord, name)))
        if "noforce" not in self.tags:
            text = "force_backward: true " + text
        if "loss" in self.tags:
            text += ' layer { name: "lossx" type: "Reduction" bottom: "y" top: "lossx"'
            text += " reduction_param { operation: SUMSQ } loss_weight: 1 }"
        (folder / "net.prototxt").write_text(text)
        self.name, self.net = name, caffe.Net(folder / "net.prototxt", 0 if "train" in self.tags else 1)
        for blobs in self.net.params.values():
            for blob in blobs:
                blob.data[...] = self.parameter(blob.data.shape)

    def parameter(self, shape: tuple[int, ...]) -> Any:
        if "bn" in self.name or "chain" in self.name:
            return self.rng.uniform(0.5, 1.5, shape)
        values = self.rng.uniform(0.2, 1.2, shape)
        return values * np.where(self.rng.rand(*shape) < 0.5, -1, 1)

    def step(self) -> dict[str, Any]:
        below = [int(tag[3:]) for tag in self.tags if re.match(r"int\d", tag)]
        for name in self.net.inputs:
            blob = self.net.blobs[name]
            if below and (name == "t" or (name == "x" and self.name == "embed")):
                blob.data[...] = self.rng.randint(0, below[0], blob.data.shape)
            else:
                blob.data[...] = self.rng.randn(*blob.data.shape)
        if self.name == "filter":
            self.net.blobs["t"].data[...] = [0, 1]
        self.net.forward()
        found = {f"d_{k}": b.data.copy() for k, b in self.net.blobs.items()}
        if "nob" in self.tags:
            return found
        for name in self.net.outputs:
            if self.net.blob_loss_weights[name] == 0:
                self.net.blobs[name].diff[...] = self.rng.randn(*self.net.blobs[name].diff.shape)
        self.net.backward()
        found |= {f"g_{k}": b.diff.copy() for k, b in self.net.blobs.items()}
        found |= {f"w_{k}_{i}": b.diff.copy() for k, v in self.net.params.items() for i, b in enumerate(v)}
        return found


def complaints(name: str, results: list[dict[str, Any]], factor: float = 1.0) -> list[str]:
    """What differs from what Caffe gave."""
    said = []
    for key, where in CASES[name].items():
        if not key:
            continue
        start, count, step = where
        want = NUMBERS[start : start + count].astype(np.float64)
        got = results[int(key[1])][key[0] + key[2:]].reshape(-1)[::step].astype(np.float64) * factor
        finite = np.isfinite(want)
        largest = np.abs(want[finite]).max(initial=0)
        off = np.abs(got[finite] - want[finite]).max(initial=0)
        if (
            got.shape != want.shape
            or not np.array_equal(finite, np.isfinite(got))
            or off > max(TOLERANCE * largest, 1e-9)
        ):
            said.append(f"{key}: off by {off:.2g} of {largest:.2g}")
    return said


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_layer_forward_and_backward(name: str, tmp_path: Path) -> None:
    case = Case(name, tmp_path)
    results = [case.step(), case.step()]
    assert complaints(name, results) == []
    assert complaints(name, results, 1.01) != []
