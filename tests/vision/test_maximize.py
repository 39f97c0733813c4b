"""Images that excite a unit. What needs PyTorch is skipped without it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from seeing import NET, PIXELS, call, digits, picture

import netsurgery
from netsurgery import vision
from netsurgery.formats.load import from_text

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed (extra torch)"
)

CLASSIFIERS = [
    "absval", "batchnorm", "bias", "bnll", "clip", "concat", "convolution", "deconvolution", "dropout", "eltwise",
    "elu", "exp", "flatten", "innerproduct", "log", "lrn", "nets", "pooling", "power", "prelu", "reduction", "relu",
    "reshape", "scale", "sigmoid", "slice", "softmax", "split", "surgery", "swish", "tanh",
]  # fmt: skip


BARE = {"decay": 0, "blur": 0, "jitter": 0}
"""Without regularisers."""


def test_without_pytorch_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    words = ("maximize", *NET, "--unit", "prob:3", "-q", "-o", tmp_path / "m.png")
    assert call(monkeypatch, capsys, *words) == (
        2,
        "",
        "error: maximize needs PyTorch, which computes the gradients\n  fix: pip install 'netsurgery[torch]'\n",
    )
    assert not list(tmp_path.iterdir())


@needs_torch
def test_the_net_in_pytorch_gives_caffes_numbers() -> None:
    import torch

    from netsurgery.exporters.torch.module import TorchNet

    compared, layers = 0, set()
    for case in cases.find(*(f"conformance/{folder}" for folder in CLASSIFIERS)):
        net = cases.load(case)
        inputs, outputs = cases.runs(case)[0]
        if len(net.inputs) != 1:
            continue
        (name,) = net.inputs
        for blob in set(net.outputs) & set(outputs):
            try:
                run = TorchNet(net, blob, inputs[name].shape)
            except netsurgery.UnsupportedError:
                continue
            with torch.no_grad():
                got = run(torch.from_numpy(inputs[name].astype(np.float32))).numpy()
            want = outputs[blob]
            if case.parent.name == "surgery":  # recorded as maps of one position
                got = got.reshape(want.shape)
            assert cases.difference(got, want) == "", cases.name(case)
            assert cases.difference(got * np.float32(1.01) + np.float32(0.01), want) != ""
            compared += 1
            layers |= {layer.type for layer in net.layers}
    assert compared >= 100
    assert {
        "Convolution",
        "Pooling",
        "InnerProduct",
        "LRN",
        "BatchNorm",
        "Scale",
        "Eltwise",
        "PReLU",
        "Concat",
        "Softmax",
    } <= layers


@needs_torch
def test_gradients_are_those_of_the_net() -> None:
    import torch

    from netsurgery.exporters.torch.module import TorchNet

    x = np.random.default_rng(0).random((1, 1, 28, 28)).astype(np.float32)
    leaf = torch.from_numpy(x.copy()).requires_grad_(True)
    (slope,) = torch.autograd.grad(TorchNet(digits(), "ip2", x.shape)(leaf)[0, 4], leaf)
    for i, j in ((3, 4), (14, 14), (20, 9)):
        ends = []
        for step in (-1e-6, 1e-6):
            near = x.astype(np.float64)
            near[0, 0, i, j] += step
            ends.append(netsurgery.run(digits(), {"data": near}, ["ip2"], dtype=np.float64)["ip2"][0, 4])
        assert float(slope[0, 0, i, j]) == pytest.approx((ends[1] - ends[0]) / 2e-6, rel=1e-3, abs=1e-5)


@needs_torch
def test_the_image_found_excites_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for digit in (0, 3, 7):
        out = tmp_path / f"{digit}.png"
        words = ("maximize", *NET, "--unit", f"prob:{digit}", "-o", out, "--raw-scale", "1", "--steps", "60", "--json")
        code, said, _ = call(monkeypatch, capsys, *words)
        found = json.loads(said)
        assert code == 0 and found["value"] > 10 > found["start"]
        image = picture(out)
        assert image.shape == (28, 28, 3) and np.ptp(image) > 200
        best = vision.classify(digits(), image, top=1, preprocessing=PIXELS)[0]
        assert best.channel == digit and best.score > 0.5


@needs_torch
def test_the_same_seed_gives_the_same_image() -> None:
    first, again = (vision.maximize(digits(), "ip2:5", steps=5, preprocessing=PIXELS) for _ in range(2))
    other = vision.maximize(digits(), "ip2:5", steps=5, preprocessing=PIXELS, seed=1)
    assert np.array_equal(first.blob, again.blob) and not np.array_equal(first.blob, other.blob)


@needs_torch
def test_layers_of_unknown_gradient_are_refused_by_name() -> None:
    net = from_text(
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
        'layer { name: "best" type: "ArgMax" bottom: "data" top: "best" argmax_param { axis: 1 } }\n'
        'layer { name: "flat" type: "Flatten" bottom: "best" top: "flat" }\n'
    )
    with pytest.raises(netsurgery.UnsupportedError) as refused:
        vision.maximize(net, "flat:0")
    assert "layer 'best' (ArgMax): has no gradient" in str(refused.value)


@needs_torch
def test_units_and_numbers_that_make_no_sense_are_refused() -> None:
    for options, text in (
        ({"unit": "prob:11"}, "blob 'prob' has no channel 11"),
        ({"unit": "prob:1", "steps": 0}, "steps is 0"),
        ({"unit": "prob:1", "decay": 1.0}, "a decay from 0 to 1"),
        ({"unit": "prob:1", "norm": 0.0}, "a positive norm"),
        ({"unit": "conv1:1", "at": "24,3"}, "expected: row and column below 24 and 24"),
        ({"unit": "prob:1", "at": "0,0"}, "expected: middle: it is no map"),
        ({"unit": "conv1:1", "at": "left"}, "expected: middle, everywhere, or a position: I,J"),
    ):
        with pytest.raises(netsurgery.NetsurgeryError) as refused:
            vision.maximize(digits(), **options)  # type: ignore[arg-type]
        assert text in str(refused.value)


@needs_torch
def test_regularisers_hold_down_what_they_name() -> None:
    def excite(**options: Any) -> vision.Maximum:
        return vision.maximize(digits(), "ip2:3", steps=40, preprocessing=PIXELS, **{**BARE, **options})

    bare, smooth = excite(), excite(variation=0.5)
    rough = [
        float(np.abs(np.diff(m.blob, axis=1)).sum() + np.abs(np.diff(m.blob, axis=2)).sum()) for m in (bare, smooth)
    ]
    assert rough[1] < 0.7 * rough[0] and smooth.value > smooth.start + 5
    near = excite(norm=5.0)
    assert np.sqrt(((near.blob - 0.5) ** 2).mean()) == pytest.approx(0.05, rel=1e-4)
    assert np.sqrt(((bare.blob - 0.5) ** 2).mean()) > 0.2 and near.value > near.start + 1


@needs_torch
def test_a_neuron_or_all_of_a_channel_is_climbed() -> None:
    def changed(at: str) -> tuple[np.ndarray[Any, Any], vision.Maximum]:
        found = vision.maximize(digits(), "conv1:3", steps=3, at=at, seed=4, preprocessing=PIXELS, **BARE)
        still = vision.maximize(digits(), "conv1:3", steps=1, at=at, seed=4, rate=1e-9, preprocessing=PIXELS, **BARE)
        return np.argwhere(np.abs(found.blob - still.blob)[0] > 1e-6), found

    places, neuron = changed("2,7")
    assert places.min(axis=0).tolist() == [2, 7] and places.max(axis=0).tolist() == [6, 11]  # its 5 x 5 pixels
    assert neuron.value == pytest.approx(run_digits(neuron.blob, "conv1")[3, 2, 7], rel=1e-4)
    places, channel = changed("everywhere")
    assert places.min(axis=0).max() <= 1 and places.max(axis=0).min() >= 26
    assert channel.value == pytest.approx(run_digits(channel.blob, "conv1")[3].mean(), rel=1e-4)


def run_digits(x: np.ndarray[Any, Any], blob: str) -> np.ndarray[Any, Any]:
    return np.asarray(netsurgery.run(digits(), {"data": x[None]}, [blob])[blob][0])
