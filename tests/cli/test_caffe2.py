"""Caffe2 from the command line, as far as it goes without Caffe2."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cases
import pytest

import netsurgery
from netsurgery.cli import main
from netsurgery.errors import NetsurgeryError
from netsurgery.verification.side.install import Installer, data_folder, installed_python
from netsurgery.verification.side.recipe import CAFFE2

LENET = [str(cases.FIXTURES / "conformance/nets/lenet" / name) for name in ("net.prototxt", "net.caffemodel")]
MASK = (
    'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 7 dim: 8 } } }\n'
    'layer { name: "pool" type: "Pooling" bottom: "x" top: "y" top: "mask" pooling_param { kernel_size: 3 } }\n'
)


class Command:
    """`netsurgery words...` in a folder of its own: exit code, stdout, stderr."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["netsurgery", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out = self.capsys.readouterr()
        return int(ended.value.code or 0), out.out, out.err


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETSURGERY_CAFFE2_PYTHON", raising=False)
    for variable in ("HOME", "XDG_DATA_HOME", "PYENV_ROOT", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    return Command(monkeypatch, capsys)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_net_becomes_two_and_comes_back(command: Command, tmp_path: Path) -> None:
    assert command("convert", *LENET, "-o", "out", "--to", "caffe2") == (
        0,
        "",
        "note: input 'data' (2x1x28x28) made an Input layer\n"
        "out: data (data_n, 1, 28, 28) -> prob\n"
        "note: layer 'ip1' (InnerProduct) ties axis 2 of data to 28 and axis 3 of data to 28; --fully-convolutional frees it\n",
    )
    assert files(tmp_path / "out") == ["init_net.pb", "predict_net.pb", "predict_net.pbtxt"]
    code, _, _ = command("convert", "out/init_net.pb", "out/predict_net.pb", "-o", "back.onnx", "-q")
    assert code == 0
    code, out, _ = command("verify", *LENET, "back.onnx", "-q")
    assert code == 0
    code, out, _ = command("inspect", "out/init_net.pb", "out/predict_net.pb")
    assert code == 0
    assert "conv1     Convolution" in out


def test_a_fully_convolutional_net_takes_any_size(command: Command, tmp_path: Path) -> None:
    assert command("convert", *LENET, "--to", "caffe2", "--fully-convolutional", "-q")[0] == 0
    net = netsurgery.load(tmp_path / "net_caffe2/init_net.pb", tmp_path / "net_caffe2/predict_net.pb")
    made = netsurgery.to_caffe2(net)
    assert made.inputs["data"][1] == 1
    assert not any(isinstance(n, int) for n in made.inputs["data"][2:])


def test_what_fixes_a_size_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(MASK)
    code, out, _ = command("convert", "net.prototxt", "-o", "out", "--to", "caffe2", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["inputs"] == {"x": ["x_n", "x_c", 7, 8]}
    assert told["tied"] == [
        {"input": "x", "axis": axis, "size": size, "by": "'pool' (Pooling)", "freed_by_surgery": False}
        for axis, size in ((2, 7), (3, 8))
    ]
    assert told["notes"] == [
        "layer 'pool' (Pooling) fixes axis 2 of x at 7 and axis 3 of x at 8: Caffe2's operators for it are written for one size; "
        "--input-shape chooses others"
    ]
    code, _, err = command("convert", "net.prototxt", "-o", "out", "--to", "caffe2", "--input-shape", "x=n,c,9,10")
    assert (code, err) == (0, "out: x (n, c, 9, 10) -> y, mask\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("-o", "out", "--to", "tensorflow"),
            "Invalid value for '--to': Value error, 'tensorflow' is not one of 'caffe2', 'openvino'.",
        ),
        (("-o", "out"), "error: cannot tell the format of 'out'"),
        (("-o", "out.onnx", "--to", "caffe2"), "error: 'out.onnx' with --to caffe2\n  expected: the name of a folder"),
        (("-o", "out", "--to", "caffe2", "--weights", "link"), "error: --weights link with --to caffe2"),
        (("-o", "out", "--to", "caffe2", "--fp16"), "error: out: --fp16 of what is no ONNX model"),
        (
            ("-o", "out", "--to", "caffe2", "--mean", "1,2,3"),
            "error: out: a NetDef cannot hold what is done to pixels before the net",
        ),
        (("-o", "/dev/null/out", "--to", "caffe2"), "error: /dev/null/out: cannot be made: Not a directory"),
    ],
)
def test_what_cannot_be_is_exit_code_2(words: tuple[str, ...], text: str, command: Command, tmp_path: Path) -> None:
    code, _, err = command("convert", *LENET, *words)
    assert code == 2
    if "╭" in err:  # Typer's box breaks lines where they end
        err = " ".join(err.replace("│", " ").split())
    assert text in err
    assert not (tmp_path / "out").exists()


def test_many_models_are_refused(command: Command, tmp_path: Path) -> None:
    code, _, err = command("convert", str(tmp_path), "--to", "caffe2")
    assert (code, err) == (2, "error: --to caffe2 for many models\n  expected: one net at a time\n")


def test_without_caffe2_nothing_passes(command: Command) -> None:
    assert command("convert", *LENET, "-o", "out", "--to", "caffe2", "-q")[0] == 0
    assert command("convert", *LENET, "-o", "lenet.onnx", "-q")[0] == 0
    for words in (
        ("verify", *LENET, "out"),
        ("verify", *LENET, "lenet.onnx", "--against", "caffe2"),
        ("caffe2", "cross-check", "out"),
        ("convert", *LENET, "-o", "out", "--to", "caffe2", "--verify"),
    ):
        code, _, err = command(*words)
        assert code == 2, words
        assert "Caffe2 is not there" in err
        assert "netsurgery caffe2 install makes it" in err


def test_a_python_that_is_too_new_is_refused(command: Command, tmp_path: Path) -> None:
    code, _, err = command("caffe2", "install", "--python", sys.executable)
    assert code == 2
    assert err == (
        f"error: {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}\n"
        "  expected: Python 3.8 or 3.9: there is no Caffe2 for newer ones\n"
    )
    assert not data_folder(CAFFE2).exists()
    assert installed_python(CAFFE2) is None


@pytest.mark.usefixtures("command")
def test_an_installation_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python 3.9 by its own account, that can do nothing else."""
    python = tmp_path / "python3.9"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && echo 3.9 && exit\necho "No module named venv" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(NetsurgeryError, match=r"-m venv .* failed with exit code 1\nNo module named venv"):
        Installer(CAFFE2, tmp_path / "data" / "caffe2", said.append).install(str(python))
    assert files(tmp_path / "data") == ["caffe2.lock"]
    assert "and 6 packages that it needs, into" in said[0]
