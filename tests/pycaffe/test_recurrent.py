"""Recurrent layers go on from forward to forward, as in Caffe, whichever their type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery.pycaffe as caffe

with np.load(cases.FIXTURES / "recurrent" / "captioner.npz") as _recorded:
    RECORDED = dict(_recorded)


@pytest.mark.parametrize("key", ["LSTM1", "LSTM2", "RNN1"])
def test_a_captioner_says_caffes_words(key: str, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(str(RECORDED[f"{key}/net"]))
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    for name, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            blob.data[...] = RECORDED[f"{key}/weights/{name}/{i}"]
    words, cont, answers = (RECORDED[f"{key}/{what}"] for what in ("word", "cont", "ip"))
    assert len(words) == 20
    for word, going, want in zip(words, cont, answers, strict=True):
        net.blobs["word"].data[...], net.blobs["cont"].data[...] = word, going
        assert not cases.difference(net.forward()["ip"].copy(), want)
    net.blobs["word"].data[...], net.blobs["cont"].data[...] = words[-1], 0
    assert cases.difference(net.forward()["ip"].copy(), answers[-1]), "without its state it says something else"


HEAD = """layer {{ name: "in" type: "Input" top: "x" top: "cont" input_param {{
  shape {{ dim: 6 dim: 1 {sizes} }} shape {{ dim: 6 dim: 1 }} }} }}\n"""
KINDS = {
    "LSTM": ("dim: 5", "recurrent_param { num_output: 4 }"),
    "RNN": ("dim: 5", "recurrent_param { num_output: 4 }"),
    "Lstm": ("dim: 5", "lstm_param { num_output: 4 }"),
    "ConvLSTM": (
        "dim: 2 dim: 4 dim: 5",
        "lstm_conv_param { num_output: 3 kernel_size: 3 pad: 1 }"
        " lstm_debug_param { axis_hadamard: 3 num_axes_hadamard: 2 }",
    ),
}


@pytest.mark.parametrize("type", KINDS)
def test_two_halves_are_the_whole(type: str, tmp_path: Path) -> None:
    sizes, params = KINDS[type]
    layer = f'layer {{ name: "r" type: "{type}" bottom: "x" bottom: "cont" top: "y" {params} }}\n'
    (tmp_path / "net.prototxt").write_text(HEAD.format(sizes=sizes) + layer)

    def forward(net: Any, x: Any, cont: Any) -> Any:
        net.blobs["x"].reshape(*x.shape)
        net.blobs["cont"].reshape(*cont.shape)
        net.blobs["x"].data[...], net.blobs["cont"].data[...] = x, cont
        return net.forward()["y"].copy()

    rng = np.random.default_rng(0)
    whole = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    for blob in whole.params["r"]:
        blob.data[...] = rng.normal(0, 0.4, blob.data.shape)
    x = rng.normal(size=whole.blobs["x"].data.shape).astype(np.float32)
    cont = np.array([0, 1, 1, 1, 0, 1], np.float32)[:, None]
    want = forward(whole, x, cont)
    halves = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    halves.share_with(whole)
    for half in (slice(0, 3), slice(3, 6)):
        assert not cases.difference(forward(halves, x[half], cont[half]), want[half])
    again = forward(whole, x[3:], cont[3:])
    assert cases.difference(again, want[3:]), "it goes on from the whole, not from the first half"
