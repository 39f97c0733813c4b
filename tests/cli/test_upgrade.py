"""netsurgery operate, upgrade and diff."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from saving import caffe_accepts, write_caffemodel
from small_nets import with_random_weights
from surgery_commands import TEXT, Command

import netsurgery
from netsurgery.cli import main
from netsurgery.difference import diff
from netsurgery.formats.load import from_text
from netsurgery.formats.prototxt.versions import file_names
from netsurgery.formats.upgrade_files import upgrade_files


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["netsurgery", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


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
    case = Path(__file__).parents[2] / "fixtures" / "conformance" / "nets" / f"vintage_{vintage}"
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
