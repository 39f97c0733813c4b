"""Gradients are those of real Caffe, and what is made of them holds what its paper says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import seeing
from PIL import Image

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing
from netsurgery.vision.saliency import gradcam, saliency

pytest.importorskip("torch")

Array = np.ndarray[Any, Any]
Command = Callable[..., tuple[int, str, str]]
CAMNET = cases.FIXTURES / "pycaffe" / "gradcam"
AS_THEY_ARE = Preprocessing(raw_scale=1, channel_order="rgb")
with np.load(cases.FIXTURES / "gradients" / "digits.npz") as _recorded:
    CAFFE = dict(_recorded)
FEEDS = {"data": CAFFE["image"][None, None]}
BLOBS = {"data": "data", "pool1": "pool1", "pool2": "pool2", "conv2": "conv2@conv2", "ip1": "ip1@ip1"}
"""What Caffe calls a blob's diff when it is done, and the version of the blob that it is of."""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *words: seeing.call(monkeypatch, capsys, *words)


def error(got: Array, want: Array) -> float:
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / np.abs(want).max())


@pytest.mark.parametrize("case", ["score", "prob"])
def test_gradients_of_the_digits_net_are_those_of_real_caffe(case: str) -> None:
    net = seeing.digits()
    of, weights = ("ip2:3", None) if case == "score" else ("prob", CAFFE["prob/weights"])
    got = netsurgery.gradient(net, FEEDS, of, list(BLOBS.values()), weights=weights)
    for blob, version in BLOBS.items():
        assert error(got[version], CAFFE[f"{case}/{blob}"]) < 1e-4
    kernel, bias = net["conv1"].weights
    damaged = netsurgery.gradient(net.with_weights("conv1", kernel * 1.01, bias), FEEDS, of, weights=weights)
    assert error(damaged["data"], CAFFE[f"{case}/data"]) > 1e-3


def test_grad_cam_is_that_of_real_caffe() -> None:
    """In a net whose map feeds a branch and a sum, for each of its classes."""
    net = netsurgery.load(CAMNET / "deploy.prototxt", CAMNET / "camnet.caffemodel")
    image = np.load(CAMNET / "image.npy").reshape(3, 24, 24).transpose(1, 2, 0)
    with np.load(CAMNET / "expect.npz") as expected:
        for label in range(4):
            found = gradcam(net, image, f"prob:{label}", blob="sum", preprocessing=AS_THEY_ARE)
            assert error(found.gradient[0], expected[f"grads_{label}"]) < 1e-5
            assert error(found.map, expected[f"cam_{label}"]) < 1e-5 or not expected[f"cam_{label}"].any()
        best = gradcam(net, image, preprocessing=AS_THEY_ARE)
        assert (best.unit.channel, best.blob) == (int(expected["order"][0]), "sum")


def test_sums_are_over_the_batch_and_what_does_not_matter_has_zeros() -> None:
    text = """
    layer { name: "data" type: "Input" top: "x" top: "y" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 3 } } }
    layer { name: "twice" type: "Power" bottom: "x" top: "twice" power_param { power: 2 } }
    layer { name: "other" type: "Power" bottom: "y" top: "other" power_param { scale: 3 } }
    """
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    net = from_text(text)
    got = netsurgery.gradient(net, {"x": x, "y": x}, "twice:1", ["x", "y"])
    assert np.array_equal(got["x"], 2 * x * [0, 1, 0]) and not got["y"].any()
    weighed = netsurgery.gradient(net, {"x": x, "y": x}, "twice", "x", weights=x)
    assert np.array_equal(weighed["x"], 2 * x * x)


def test_what_cannot_be_differentiated_is_said() -> None:
    net = seeing.digits()
    with pytest.raises(NetsurgeryError, match="no feed for data"):
        netsurgery.gradient(net, {}, "prob")
    with pytest.raises(ShapeError, match=r"that of blob 'prob', \(1, 11\)"):
        netsurgery.gradient(net, FEEDS, "prob", weights=np.ones(11))
    with pytest.raises(NetsurgeryError, match="nowhere"):
        netsurgery.gradient(net, FEEDS, "prob", "nowhere")
    best = from_text(
        'layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "best" type: "ArgMax" bottom: "x" top: "best" }'
    )
    with pytest.raises(UnsupportedError, match="no gradient comes from 'best' to the inputs"):
        netsurgery.gradient(best, {"x": np.ones((2, 3))}, "best")
    with pytest.raises(NetsurgeryError, match="the method 'magic'"):
        saliency(net, CAFFE["image"], method="magic")


def test_integrated_gradients_add_up_to_the_score() -> None:
    """Their axiom: the sum over all pixels is the score less that of the image that they begin with."""
    net, done = seeing.digits(), Preprocessing(raw_scale=1)
    found = saliency(net, CAFFE["image"], "ip2:3", method="integrated", samples=200, preprocessing=done)
    bare = saliency(net, np.zeros((28, 28), np.float32), "ip2:3", preprocessing=done)
    assert found.gradient.sum() == pytest.approx(found.score - bare.score, rel=2e-3)


def test_methods_are_what_they_say() -> None:
    net, done = seeing.digits(), Preprocessing(raw_scale=1)
    plain = saliency(net, CAFFE["image"], "3", preprocessing=done)
    assert error(plain.gradient, CAFFE["score/data"]) < 1e-4
    assert np.array_equal(plain.map, np.abs(plain.gradient[0]).max(axis=0))
    still = saliency(net, CAFFE["image"], "3", method="smooth", noise=0, samples=3, preprocessing=done)
    assert np.allclose(still.gradient, plain.gradient, atol=1e-6)
    smooth = saliency(net, CAFFE["image"], "3", method="smooth", preprocessing=done)
    assert 0.05 < error(smooth.gradient, plain.gradient) < 2
    assert saliency(net, CAFFE["image"], preprocessing=done).unit.channel == 3


def test_guided_backpropagation_lets_only_the_positive_through() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 1 dim: 2 } } }
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
      convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 1 bias_term: false } }
    """
    net = from_text(text).with_weights("conv", np.array([1.0, 2.0], np.float32).reshape(2, 1, 1, 1))
    net = net.with_weights("fc", np.array([[1, 1, -1, 1]], np.float32))
    image = np.array([[[3.0], [5.0]]], np.float32)
    done = Preprocessing(raw_scale=1)
    assert saliency(net, image, "fc:0", preprocessing=done).gradient.ravel().tolist() == [1 - 2, 1 + 2]
    assert saliency(net, image, "fc:0", method="guided", preprocessing=done).gradient.ravel().tolist() == [1, 1 + 2]


def test_commands_write_pictures_and_numbers(command: Command, tmp_path: Path) -> None:
    image, common = seeing.DIGITS / "sample_3.png", ("--raw-scale", 1, "--json")
    for name in ("saliency", "gradcam"):
        code, out, err = command(
            name,
            *seeing.NET,
            image,
            *common,
            "--labels",
            seeing.LABELS,
            "-o",
            tmp_path / "x.png",
            "--array",
            tmp_path / "x.npy",
        )
        assert code == 0, err
        told = json.loads(out)
        assert (told["unit"], told["label"]) == ("prob:3", "3")
        with Image.open(tmp_path / "x.png") as picture:
            assert picture.width > 160
        assert np.load(tmp_path / "x.npy").shape == ((1, 1, 28, 28) if name == "saliency" else (8, 8))
    assert (
        command(
            "saliency", *seeing.NET, image, "--method", "guided", "--unit", "prob:5", "-q", "-o", tmp_path / "y.png"
        )[0]
        == 0
    )
    code, out, err = command(
        "gradcam", *seeing.NET, image, *common, "--unit", "conv2:3", "--labels", seeing.LABELS, "-o", tmp_path / "y.png"
    )
    assert code == 0 and json.loads(out)["label"] == "", err  # labels name classes, not what conv2 sees
    (tmp_path / "two.txt").write_text("a\nb\n")
    for name in ("saliency", "gradcam"):
        code, _, err = command(
            name, *seeing.NET, image, "--labels", tmp_path / "two.txt", "-q", "-o", tmp_path / "z.png"
        )
        assert (code, err) == (2, "error: 2 labels for blob 'prob' of 11 channels\n  expected: one for each channel\n")
    code, _, err = command("gradcam", *seeing.NET, image, "--blob", "ip1", "-o", tmp_path / "y.png")
    assert code == 2 and "blob 'ip1' has 2 axes" in err


def test_saliency_runs_the_net_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Class, score and slope come of one run forward: of a large net a second one would take as long again."""
    from netsurgery.exporters.torch.module import CaffeModule

    runs, forward = [], CaffeModule.forward
    monkeypatch.setattr(CaffeModule, "forward", lambda self, *a, **k: runs.append(1) or forward(self, *a, **k))
    net, done = seeing.digits(), Preprocessing(raw_scale=1)
    for look in (saliency, gradcam):
        runs.clear()
        assert look(net, CAFFE["image"], preprocessing=done).unit.channel == 3
        assert len(runs) == 1
    runs.clear()
    saliency(net, CAFFE["image"], method="smooth", samples=4, preprocessing=done)
    assert len(runs) == 5  # one to find the class
