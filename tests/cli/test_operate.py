"""netsurgery operate, upgrade and diff."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_nets import with_random_weights
from surgery_commands import TEXT, Command

import netsurgery
from netsurgery.cli import main
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.passes.operations import NAMES, operate


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["netsurgery", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    netsurgery.save_caffe(with_random_weights(from_text(TEXT)), *paths)
    return paths


def test_operations_are_done_in_the_order_given(command: Command, model: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.prototxt"
    words = [
        "--rename=conv=c",
        "--insert-after",
        "c",
        'layer { name: "s" type: "Sigmoid" }',
        "--rename-layer",
        "s=conv",
    ]
    code, _, said = command("operate", *model, "-o", out, *words, "--delete", "relu", "--delete", "conv", "--cut", "fc")
    assert (code, said) == (0, f"{out}, {out.with_suffix('.caffemodel')}\n")
    made = netsurgery.load(out, out.with_suffix(".caffemodel"))
    assert [x.name for x in made.layers] == ["data", "c", "fc"]
    code, _, said = command("operate", *model, "-o", out, "--cut", "conv", "--delete", "prob")
    assert (code, said) == (2, f"error: {model[0]}:1: there is no layer 'prob'\n")
    code, _, _ = command("operate", *model, "-o", out, "--delete", "prob", "--cut", "conv")
    assert code == 0


def test_every_operation_has_an_option(command: Command, model: tuple[Path, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((2, 64)))
    dump, out = tmp_path / "dump.npz", tmp_path / "out.prototxt"
    used = {
        "initialize": "random",
        "set_weights": f"fc:0={tmp_path / 'w.npy'}",
        "set_kernel": "conv=sobel-x,emboss",
        "dump_weights": dump,
        "load_weights": dump,
        "transplant": f"{model[1]},conv=conv",
        "insert_before": 'fc=layer { name: "bn" type: "Scale" }',
        "insert_after": 'bn=layer { name: "t" type: "TanH" }',
        "delete": "t,bn",
        "rename": "prob=p",
        "rename_layer": "p=q",
        "rename_blob": "p=q",
        "fold": None,
        "fold_preprocessing": "mean=1,2,3 scale=0.5 swap input=data inexact-borders",
        "unfold_groups": None,
        "deploy": None,
        "fully_convolutional": None,
        "set_input_shape": "data=1,3,9,9",
        "num_output": "fc=3",
        "cut": "q",
        "cut_from": "conv",
    }
    assert set(used) == set(NAMES)
    args = [f"--{name.replace('_', '-')}" + (f"={value}" if value else "") for name, value in used.items()]
    code, _, said = command("operate", *model, "-o", out, *args)
    assert code == 0, said
    made = netsurgery.load(out, out.with_suffix(".caffemodel"))
    assert [(x.name, x.type) for x in made.layers] == [
        ("conv", "Input"),
        ("fc", "Convolution"),
        ("q", "Softmax"),
    ]
    assert made.shapes()["q"] == (1, 3, 4, 4)
    assert dump.exists()


def test_operate_writes_onnx_and_nets_without_weights(
    command: Command, model: tuple[Path, Path], tmp_path: Path
) -> None:
    code, _, _ = command("operate", *model, "-o", tmp_path / "m.onnx", "--delete", "prob", "-q")
    assert code == 0
    assert [o.name for o in onnx.load(tmp_path / "m.onnx").graph.output] == ["fc"]
    code, _, said = command("operate", model[0], "-o", tmp_path / "bare.prototxt", "--delete", "prob")
    assert (code, said) == (0, f"{tmp_path / 'bare.prototxt'}\n")
    assert not (tmp_path / "bare.caffemodel").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rename", "conv"], "--rename conv\n  expected: OLD=NEW, such as fc6=fc6-conv"),
        (["--rename-layer", "conv="], "--rename-layer conv=\n  expected: OLD=NEW, such as fc6=fc6-conv"),
        (
            ["--num-output", "fc=many"],
            "--num-output: 'many' is no whole number\n  expected: LAYER=NUMBER, such as fc8=20",
        ),
        (
            ["--set-input-shape", "data=1,H"],
            "--set-input-shape: 'H' is no whole number\n  expected: BLOB=N,C,H,W, such as data=1,3,451,451",
        ),
        (
            ["--set-weights", "fc=w.npy"],
            "--set-weights fc=w.npy\n  expected: LAYER:BLOB=FILE.npy, such as conv1:0=kernels.npy",
        ),
        (
            ["--set-weights", "fc:0=no.npy"],
            "no.npy: cannot be read: No such file or directory\n  expected: a .npy file: one array\n  fix: --load-weights reads .npz",
        ),
        (
            ["--fold-preprocessing", "mean=a"],
            "--fold-preprocessing: 'mean=a'\n"
            "  expected: words such as: mean=104,117,123 scale=0.017 swap input=data inexact-borders",
        ),
        (
            ["--fold-preprocessing", "inexact-borders"],
            "--fold-preprocessing: nothing to fold\n"
            "  expected: words such as: mean=104,117,123 scale=0.017 swap input=data inexact-borders",
        ),
        (
            ["--insert-after", "layer { }"],
            '--insert-after layer { }\n  expected: LAYER TEXT, such as: conv1 \'layer { name: "relu1" type: "ReLU" }\'',
        ),
        (
            ["--transplant", "x.caffemodel,fc"],
            "--transplant fc\n  expected: FILE, or FILE,LAYER=LAYER_OF_THE_FILE,..., such as caffenet.caffemodel,fc6-conv=fc6",
        ),
        (["--initialize=badly"], "there is no way 'badly' to initialize\n  expected: fillers or random"),
    ],
)
def test_operate_refuses(
    command: Command, model: tuple[Path, Path], tmp_path: Path, words: list[str], said: str
) -> None:
    out = tmp_path / "out.prototxt"
    assert command("operate", *model, "-o", out, *words) == (2, "", f"error: {said}\n")
    assert not out.exists()


def test_operate_needs_an_output(command: Command, model: tuple[Path, Path]) -> None:
    assert command("operate", *model) == (
        2,
        "",
        "error: no output given\n  expected: -o NET.prototxt or -o MODEL.onnx\n",
    )
    assert command("operate", *model, "-o", "x.txt")[2] == (
        "error: cannot tell the format of 'x.txt'\n  expected: a name that ends in .prototxt or .onnx\n"
    )


def test_operate_is_a_function_too() -> None:
    net = from_text(TEXT)
    assert operate(net, [("delete", ["relu"])]).blobs == net.without("relu").blobs
    with pytest.raises(NetsurgeryError) as error:
        operate(net, [("polish", [])])
    assert str(error.value) == f"there is no operation 'polish'\n  expected: {', '.join(NAMES)}"
