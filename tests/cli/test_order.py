"""Files in each other's places are told for what they are, with the whole command line that is right; and that works."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cases
import numpy as np
import pytest
from PIL import Image
from seeing import call

DIGITS = cases.FIXTURES / "digits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("order")
    for name in ("deploy.prototxt", "digits.caffemodel"):
        shutil.copy(DIGITS / name, path)
    (path / "solver.prototxt").write_text('net: "models/deploy.prototxt"\nbase_lr: 0.01\nmax_iter: 100\n')
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (28, 28), np.uint8)).save(path / "img.png")
    (path / "list.txt").write_text("img.png 3\n")
    (path / "sub").mkdir()
    (path / "models.toml").write_text(
        '[[model]]\nprototxt = "deploy.prototxt"\nweights = "digits.caffemodel"\nonnx = "sub/t.onnx"\n'
    )
    assert run(path, "convert deploy.prototxt digits.caffemodel -o m.onnx").returncode == 0
    return path


def run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "netsurgery", *shlex.split(line)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)


SWAPPED = "this is a file of weights, and deploy.prototxt the net", "the net first, then its weights"
SOLVER = "this is a solver, which says how a net is trained", "a net: layer { ... }"
MODEL = "this is an ONNX model, where the weights stand", "the weights before the model"
NONE = "this is an ONNX model, not weights", "the weights: a .caffemodel"
LINES = {
    "convert digits.caffemodel deploy.prototxt -o x.onnx": (*SWAPPED, "convert deploy.prototxt digits.caffemodel -o x.onnx"),
    "inspect digits.caffemodel deploy.prototxt": (*SWAPPED, "inspect deploy.prototxt digits.caffemodel"),
    "operate digits.caffemodel deploy.prototxt --delete prob -o sub/o.prototxt": (
        *SWAPPED,
        "operate deploy.prototxt digits.caffemodel --delete prob -o sub/o.prototxt",
    ),
    "verify digits.caffemodel deploy.prototxt m.onnx": (*SWAPPED, "verify deploy.prototxt digits.caffemodel m.onnx"),
    "classify digits.caffemodel deploy.prototxt img.png": (*SWAPPED, "classify deploy.prototxt digits.caffemodel img.png"),
    "sizes digits.caffemodel deploy.prototxt conv1": (*SWAPPED, "sizes deploy.prototxt digits.caffemodel conv1"),
    "score digits.caffemodel deploy.prototxt list.txt": (*SWAPPED, "score deploy.prototxt digits.caffemodel list.txt"),
    "verify deploy.prototxt m.onnx digits.caffemodel": (*MODEL, "verify deploy.prototxt digits.caffemodel m.onnx"),
    "convert solver.prototxt digits.caffemodel -o x.onnx": (*SOLVER, "convert deploy.prototxt digits.caffemodel -o x.onnx"),
    "upgrade solver.prototxt -o sub/u.prototxt": (*SOLVER, "upgrade deploy.prototxt -o sub/u.prototxt"),
    "draw solver.prototxt -o d.html": (*SOLVER, "draw deploy.prototxt -o d.html"),
    "convert deploy.prototxt m.onnx -o x.onnx": (
        *NONE,
        "convert deploy.prototxt digits.caffemodel -o x.onnx; to check the model: "
        "netsurgery verify deploy.prototxt digits.caffemodel m.onnx",
    ),
    "convert models.toml -o x.onnx": (
        "this is a list of models, not a net",
        "a net: layer { ... }",
        "convert --manifest models.toml",
    ),
    "convert deploy.prototxt deploy.prototxt -o x.onnx": (
        "this is a net, not weights",
        NONE[1],
        "convert deploy.prototxt digits.caffemodel -o x.onnx",
    ),
    "convert deploy.prototxt solver.prototxt -o x.onnx": (
        "this is a solver, not weights",
        NONE[1],
        "convert deploy.prototxt digits.caffemodel -o x.onnx",
    ),
}  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_the_right_line_is_told_and_works(
    line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    problem, expected, fix = LINES[line]
    code, out, err = call(monkeypatch, capsys, *shlex.split(line))
    wrong = next(word for word in line.split()[1:] if word != "deploy.prototxt" or "a net" in problem)
    assert (code, out) == (2, "")
    assert err == f"error: {wrong}: {problem}\n  expected: {expected}\n  fix: netsurgery {fix}\n"
    for right in fix.split("; to check the model: netsurgery "):
        code, _, err = call(monkeypatch, capsys, *shlex.split(right))
        assert code == 0, err


def test_a_model_is_no_net(folder: Path) -> None:
    for line in ("inspect m.onnx", "convert m.onnx digits.caffemodel -o x.onnx"):
        assert run(folder, line).stderr == (
            "error: m.onnx: this is an ONNX model\n  expected: a net of Caffe's\n  fix: give the Caffe model that it was made from\n"
        )


@pytest.mark.parametrize(
    "line", ["convert digits.caffemodel -o x.onnx", "verify digits.caffemodel deploy.prototxt digits.caffemodel"]
)
def test_a_caffemodel_alone_is_a_net(line: str, folder: Path) -> None:
    done = run(folder, line)
    assert done.returncode == 0, done.stderr
