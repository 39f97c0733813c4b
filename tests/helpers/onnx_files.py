"""Models whose weights stand in different places."""

from __future__ import annotations

import shutil
from pathlib import Path

import cases
import numpy as np
import onnx
import pytest

import netsurgery

DIGITS = cases.FIXTURES / "digits"


MODES = ("embed", "external", "link")


@pytest.fixture
def net(tmp_path: Path) -> netsurgery.Net:
    """The digits net, its files in tmp_path."""
    for name in ("deploy.prototxt", "digits.caffemodel"):
        shutil.copy(DIGITS / name, tmp_path)
    return netsurgery.load(tmp_path / "deploy.prototxt", tmp_path / "digits.caffemodel")


def places(path: Path) -> dict[str, dict[str, str]]:
    model = onnx.load(path, load_external_data=False)
    return {
        t.name: {e.key: e.value for e in t.external_data}
        for t in model.graph.initializer
        if t.data_location == onnx.TensorProto.EXTERNAL
    }


def answers(path: Path) -> np.ndarray:
    x = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)
    (y,) = cases.session(str(path)).run(None, {"data": x})
    return y


def saved(net: netsurgery.Net, path: Path, mode: str) -> Path:
    netsurgery.save_onnx(net, path, weights=mode)
    return path
