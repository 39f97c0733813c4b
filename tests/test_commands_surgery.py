"""netsurgery operate, upgrade and diff."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from small_nets import with_random_weights
from test_save_caffe import caffe_accepts

import netsurgery
from netsurgery.cli import main
from netsurgery.difference import BlobChange, Change, diff
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text
from netsurgery.formats.prototxt.versions import file_names
from netsurgery.formats.upgrade_files import upgrade_files
from netsurgery.formats.weights.write_caffemodel import write_caffemodel
from netsurgery.passes.operations import NAMES, operate

TEXT = """name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
# the answer
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""

Command = Callable[..., tuple[int, str, str]]


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


# --- operate


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


# --- diff


def test_diff_says_what_is_not_the_same(command: Command, model: tuple[Path, Path], tmp_path: Path) -> None:
    net = netsurgery.load(*model)
    blob = net["conv"].weights[0].copy()
    blob.flat[0] += 1
    bias = net["conv"].weights[1] * np.float32(1 + 3e-7)
    other = net.without("relu").with_weights("conv", blob, bias)
    other = other.with_layer(
        netsurgery.layer('layer { name: "log" type: "Log" bottom: "prob" top: "log" log_param { base: 2 } }')
    )
    other = other.with_layer(
        replace(other["fc"], params=from_text(TEXT.replace("num_output: 2", "num_output: 2 axis: -3"))["fc"].params)
    )
    paths = tmp_path / "b.prototxt", tmp_path / "b.caffemodel"
    netsurgery.save_caffe(other, *paths)
    code, said, _ = command("diff", *model, *paths)
    assert (code, said) == (
        1,
        "only in the first: layer 'relu' (ReLU)\n"
        "only in the second: layer 'log' (Log)\n"
        "conv: top: conv@conv -> conv\n"
        "fc: inner_product_param.axis: 1 -> -3\n"
        "conv: blob 0: different, by up to 1\n"
        "conv: blob 1: close, by up to 2.38e-07\n"
        "weights: 2 blobs equal bit for bit, 1 close, 1 different\n",
    )
    code, said, _ = command("diff", *model, *paths, "--json")
    found = json.loads(said)
    assert (code, found["differ"], found["added"]) == (1, True, ["'log' (Log)"])
    assert command("diff", model[0], model[0]) == (0, "the nets are the same\n", "")
    assert command("diff", *model, model[0]) == (0, "weights: only the first net has any\n", "")
    assert command("diff", *model, *model, "-q") == (0, "", "")
    assert command("diff", *model) == (
        2,
        "",
        "error: 1 net given\n  expected: two: A.prototxt [A.caffemodel] B.prototxt [B.caffemodel]\n",
    )
    assert command("diff", model[0], tmp_path / "no.prototxt")[0] == 2


def test_diff_looks_at_values_that_count() -> None:
    a = from_text(TEXT)
    spelled = TEXT.replace(
        "kernel_size: 3",
        'kernel_h: 3 kernel_w: 3 stride: 1 dilation: 1 pad: 0 group: 1 weight_filler { type: "xavier" }',
    ).replace('top: "fc"', 'top: "fc" param { lr_mult: 3 }')
    assert not diff(a, from_text(spelled))
    assert [c.path for c in diff(a, from_text(spelled), training=True).changed] == [
        "convolution_param.weight_filler.type",
        "param.lr_mult",
    ]
    taller = diff(a, from_text(TEXT.replace("kernel_size: 3", "kernel_h: 5 kernel_w: 3")))
    assert taller.changed == (Change("conv", "convolution_param.kernel_size", "3", "5, 3"),)


def test_diff_of_shapes_and_nan() -> None:
    a = with_random_weights(from_text(TEXT))
    w, b = a["fc"].weights
    wide = a.with_layers(replace(x, weights=(w.reshape(1, -1), b)) if x.name == "fc" else x for x in a.layers)
    assert diff(a, wide).weights == (BlobChange("fc", 0, (2, 64), (1, 128)),)
    lost = b.copy()
    lost[0] = np.nan
    broken = a.with_weights("fc", w, lost)
    assert not diff(broken, broken)
    (change,) = diff(a, broken).weights
    assert change.largest == np.inf and not change.is_close


# --- upgrade


V1 = """name: "old"
input: "data" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 6
# the first layer

# of all
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "drop" type: DROPOUT bottom: "conv" top: "conv" include { phase: TRAIN } }  # not when testing
layers { name: "prob" type: SOFTMAX bottom: "conv" top: "prob" include { phase: TEST } }
"""


def test_upgrade_writes_v2_of_every_phase(command: Command, tmp_path: Path) -> None:
    old, new = tmp_path / "old.prototxt", tmp_path / "new.prototxt"
    old.write_text(V1)
    code, _, said = command("upgrade", old, "-o", new)
    assert (code, said) == (
        0,
        f"note: V1 net upgraded to V2: 3 layers\nnote: input 'data' (1x3x6x6) made an Input layer\n{new}\n",
    )
    assert (
        new.read_text()
        == """name: "old"
layer {
  name: "input"
  type: "Input"
  top: "data"
  input_param {
    shape { dim: 1 dim: 3 dim: 6 dim: 6 }
  }
}
# the first layer
# of all
layer {
  name: "conv"
  type: "Convolution"
  bottom: "data"
  top: "conv"
  param {
    lr_mult: 1
  }
  convolution_param {
    num_output: 4
    kernel_size: 3
  }
}
layer {
  name: "drop"
  type: "Dropout"
  bottom: "conv"
  top: "conv"
  include {
    phase: TRAIN
  }
}
layer {
  name: "prob"
  type: "Softmax"
  bottom: "conv"
  top: "prob"
  include {
    phase: TEST
  }
}
"""
    )
    again = tmp_path / "again.prototxt"
    assert upgrade_files(new, again).notes == ()
    assert again.read_text() == new.read_text()


@pytest.mark.parametrize("vintage", ["v0", "v1"])
def test_old_weights_become_new_ones(vintage: str, tmp_path: Path) -> None:
    case = Path(__file__).parent.parent / "fixtures" / "conformance" / "nets" / f"vintage_{vintage}"
    if not case.exists():
        pytest.skip(f"no case nets/vintage_{vintage} in fixtures")
    old, new = (case / "net.prototxt", case / "net.caffemodel"), (tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    upgrade_files(old[0], new[0], old[1], new[1])
    assert caffe_accepts(new[0].read_text()) == ""
    found = diff(netsurgery.load(*old), netsurgery.load(*new), training=True)
    assert not found and found.equal_blobs
    alone = tmp_path / "alone.prototxt", tmp_path / "alone.caffemodel"
    assert upgrade_files(old[1], alone[0], None, alone[1]).files == tuple(map(str, alone))
    assert not diff(netsurgery.load(*alone), netsurgery.load(*new))


def test_layers_that_only_the_weights_have_stay(tmp_path: Path) -> None:
    both = with_random_weights(from_text(TEXT))
    netsurgery.save_caffe(both, tmp_path / "a.prototxt", tmp_path / "a.caffemodel")
    less = tmp_path / "less.prototxt"
    less.write_text("\n".join(line for line in TEXT.splitlines() if '"fc"' not in line and "answer" not in line) + "\n")
    upgrade_files(less, tmp_path / "b.prototxt", tmp_path / "a.caffemodel", tmp_path / "b.caffemodel")
    whole = netsurgery.load(tmp_path / "a.prototxt", tmp_path / "b.caffemodel")
    assert not diff(whole, both)


def test_a_snapshot_alone_becomes_a_net_for_any_phase(tmp_path: Path) -> None:
    trained = with_random_weights(from_text(TEXT.replace('"ReLU"', '"ReLU" phase: TRAIN')))
    write_caffemodel(tmp_path / "s.caffemodel", trained, file_names(trained))
    upgrade_files(tmp_path / "s.caffemodel", tmp_path / "n.prototxt", None, tmp_path / "n.caffemodel")
    assert "phase" not in (tmp_path / "n.prototxt").read_text()
    made = netsurgery.load(tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    assert not diff(made, with_random_weights(from_text(TEXT)))


def test_upgrade_refuses_and_leaves_nothing(command: Command, tmp_path: Path) -> None:
    old = tmp_path / "old.prototxt"
    old.write_text(V1)
    wrong = tmp_path / "wrong.caffemodel"
    wrong.write_bytes(b"<html>")
    assert command("upgrade", old, wrong, "-o", tmp_path / "new.prototxt")[0] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["old.prototxt", "wrong.caffemodel"]
    assert command("upgrade", old) == (2, "", "error: no output given\n  expected: -o NET.prototxt\n")
