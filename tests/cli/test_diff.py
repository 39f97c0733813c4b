"""netsurgery operate, upgrade and diff."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_nets import with_random_weights
from surgery_commands import TEXT, Command

import netsurgery
from netsurgery.cli import main
from netsurgery.difference import BlobChange, Change, diff
from netsurgery.formats.load import from_text


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
