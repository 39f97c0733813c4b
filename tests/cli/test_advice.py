"""Advice that commands print is followed, and works."""

from __future__ import annotations

import shutil
from pathlib import Path

import cases
import pytest
from seeing import call

DIGITS = cases.FIXTURES / "digits"
DATA = """layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "x" batch_size: 4 } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }
"""
TIED = "axis 2 of input 'data' cannot be 56: layer 'ip1' (InnerProduct) ties it to 28\n  expected: 28\n  fix: "
FREED = "--fully-convolutional frees the axes that InnerProduct ties; a model is converted with it\n"
NET = "deploy.prototxt digits.caffemodel"
ADVICE = {
    f"record {NET} --size 56 -o r.npz": (TIED + FREED, f"record {NET} --size 56 -o r.npz --fully-convolutional"),
    f"time {NET} --no-caffe --input-shape data=1,1,56,56": (
        TIED + FREED,
        f"time {NET} --no-caffe --input-shape data=1,1,56,56 --fully-convolutional",
    ),
    "operate data.prototxt --set-input-shape data=1,3,24,24 -o o.prototxt": (
        "data.prototxt:1: layer 'data' (HDF5Data): 'data' is what a data layer reads\n  expected: an input\n"
        "  fix: --input-shape data=1,3,24,24 makes it an input of that shape\n",
        "operate data.prototxt --input-shape data=1,3,24,24 --set-input-shape data=1,3,24,24 -o o.prototxt",
    ),
    "sizes data.prototxt c": (
        "data.prototxt:1: layer 'data' (HDF5Data): the shape of input 'data' is not declared\n  expected: a shape\n"
        "  fix: --input-shape data=1,3,224,224, or input_shapes={'data': (1, 3, 224, 224)} for load in Python\n",
        "sizes data.prototxt c --input-shape data=1,3,224,224",
    ),
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("deploy.prototxt", "digits.caffemodel"):
        shutil.copy(DIGITS / name, tmp_path)
    (tmp_path / "data.prototxt").write_text(DATA)
    return tmp_path


@pytest.mark.parametrize("line", ADVICE)
def test_advice_works(
    line: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said, followed = ADVICE[line]
    assert call(monkeypatch, capsys, *line.split()) == (2, "", f"error: {said}")
    code, _, err = call(monkeypatch, capsys, *followed.split())
    assert code == 0, err


@pytest.mark.parametrize("way", ["--initialize random", "--initialize=random", "--initialize =random"])
def test_initialize_takes_its_word_in_every_spelling(
    way: str, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "convert", "deploy.prototxt", *way.split(), "-o", "m.onnx"
    code, _, err = call(monkeypatch, capsys, *words)
    assert (code, err.splitlines()[0]) == (0, "note: weights of 4 layers made up (random, seed 0)")
