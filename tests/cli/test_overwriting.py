"""No output of any command is ever one of its inputs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import cases
import pytest

from netsurgery.cli import main
from netsurgery.errors import NetsurgeryError
from netsurgery.exporters.convert import convert

DIGITS = cases.FIXTURES / "digits"
NET = ("a.prototxt", "a.caffemodel")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(DIGITS / "deploy.prototxt", tmp_path / "a.prototxt")
    shutil.copy(DIGITS / "digits.caffemodel", tmp_path / "a.caffemodel")
    os.link(tmp_path / "a.caffemodel", tmp_path / "hard.npz")
    os.symlink("a.prototxt", tmp_path / "soft.html")
    (tmp_path / "labels.png").write_text("zero\n")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    (tmp_path / "models.toml").write_text('[[model]]\nprototxt = "a.prototxt"\nonnx = "a.prototxt"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and stderr of `netsurgery words...`."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["netsurgery", *words])
        main()
    return int(ended.value.code or 0), capsys.readouterr().err


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    "words",
    [
        ("record", *NET, "-o", "a.caffemodel"),
        ("record", *NET, "-o", "hard.npz"),
        ("record", *NET, "-o", "x.npz", "--input", "data=x.npz"),
        ("verify", *NET, "m.onnx", "--html", "a.caffemodel"),
        ("verify", *NET, "m.onnx", "--html", "soft.html"),
        ("verify", *NET, "m.onnx", "--junit", "a.prototxt"),
        ("verify", *NET, "m.onnx", "--json", "a.prototxt"),
        ("convert", *NET, "-o", "a.prototxt"),
        ("convert", "a.caffemodel", "-o", "a.prototxt"),
        ("convert", "--manifest", "models.toml"),
        ("operate", *NET, "-o", "a.prototxt", "--delete", "relu1"),
        ("operate", *NET, "-o", "b.prototxt", "--load-weights", "x.npz", "--dump-weights", "x.npz"),
        ("upgrade", *NET, "-o", "a.prototxt"),
        ("upgrade", "./a.prototxt", "-o", "../{here}/a.prototxt"),
        ("draw", *NET, "-o", "a.prototxt"),
        ("filters", *NET, "conv1", "-o", "a.caffemodel"),
        ("activations", *NET, "labels.png", "conv1", "-o", "labels.png"),
        ("patches", *NET, "labels.png", "--unit", "conv1:0", "-o", "labels.png"),
        ("maximize", *NET, "--unit", "prob:0", "--labels", "labels.png", "-o", "labels.png"),
        ("features", *NET, "labels.png", "--output", "conv1", "-o", "a.caffemodel"),
        ("mean", "x.npz", "-o", "x.npz"),
        ("score", *NET, "x.npz", "--record", "x.npz"),
    ],
    ids=lambda words: " ".join(words),
)
def test_an_input_is_never_written_over(words: tuple[str, ...], here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(here)
    code, err = run(capsys, *(word.format(here=here.name) for word in words))
    assert code == 2, err
    assert content(here) == before


def test_the_error_names_both_and_says_what_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "record", *NET, "-o", "hard.npz") == (
        2,
        "error: hard.npz: is read, and would be overwritten: it is the same file as a.caffemodel\n"
        "  fix: another name for the output\n",
    )


def test_in_place_is_possible_where_it_is_wanted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(here)
    code, err = run(capsys, "operate", *NET, "-o", "a.prototxt", "--rename", "conv1=first", "--in-place")
    assert code == 0, err
    assert b'"first"' in (here / "a.prototxt").read_bytes() and content(here) != before
    assert "--in-place" in run(capsys, "operate", *NET, "-o", "a.prototxt", "--fold")[1]


def test_the_function_refuses_as_well(here: Path) -> None:
    with pytest.raises(NetsurgeryError, match="is read, and would be overwritten"):
        convert("a.prototxt", "a.caffemodel", "a.prototxt")
