"""For every layer type of BVLC's that has a gradient, `netsurgery.gradient` and pycaffe's `backward` give real Caffe's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery import pycaffe
from netsurgery.formats.load import from_text

pytest.importorskip("torch")

Array = np.ndarray[Any, Any]
with np.load(cases.FIXTURES / "gradients" / "layers.npz") as _recorded:
    CAFFE = dict(_recorded)
CASES = sorted({name.rpartition("/")[0] for name in CAFFE})
LEARNING = "xzu"
"""Inputs that diffs go down to; of the others none is asked for."""


def of(case: str) -> dict[str, Array]:
    return {name[len(case) + 1 :]: array for name, array in CAFFE.items() if name.startswith(f"{case}/")}


def feeds(record: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    for name in record:
        if len(name) == 1 and name != "y":
            yield (f"{name}_in" if name in LEARNING else name), record[name]


def error(got: Array, want: Array) -> float:
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-6))


def net_of(record: dict[str, Array], text: str) -> netsurgery.Net:
    net = from_text(text)
    ones = {layer.name: [np.ones(np.shape(record[layer.name[0]])[1], np.float32)] for layer in scales(net)}
    mine = [record[f"p{k}"] for k in range(9) if f"p{k}" in record]
    for name, blobs in {**ones, **({"l": mine} if mine else {})}.items():
        net = net.with_weights(name, *blobs)
    return net


def scales(net: netsurgery.Net) -> list[netsurgery.Layer]:
    return [layer for layer in net.layers if layer.name.endswith("_one")]


def test_every_type_with_a_gradient_is_there() -> None:
    """But for Clip, which the wheel does not have, and BatchNorm by the batch, which tests/pycaffe/test_batch_norm.py holds."""
    assert {case.split()[0] for case in CASES} == {
        *("AbsVal", "BNLL", "BatchNorm", "BatchReindex", "Bias", "Concat", "ContrastiveLoss", "Convolution", "Crop"),
        *(
            "Deconvolution",
            "Dropout",
            "ELU",
            "Eltwise",
            "Embed",
            "EuclideanLoss",
            "Exp",
            "Filter",
            "Flatten",
            "HingeLoss",
        ),
        *("Im2col", "InfogainLoss", "InnerProduct", "LRN", "LSTM", "Log", "MVN", "MultinomialLogisticLoss", "PReLU"),
        *("Parameter", "Pooling", "Power", "RNN", "ReLU", "Reduction", "Reshape", "SPP", "Scale", "Sigmoid"),
        *("SigmoidCrossEntropyLoss", "Slice", "Softmax", "SoftmaxWithLoss", "Split", "Swish", "TanH", "Tile"),
    }
    zero = {name for name, array in CAFFE.items() if "/d." in name and not array.any()}
    assert zero == {"Crop/d.z", *(f"BatchNorm/d.p{k}" for k in range(3))}


@pytest.mark.parametrize("case", [case for case in CASES if set(of(case)) & set(LEARNING)])
def test_gradients_are_those_of_real_caffe(case: str) -> None:
    record = of(case)
    net = net_of(record, str(record["net"]))
    inputs = [name for name in record if name in LEARNING]
    got = netsurgery.gradient(net, dict(feeds(record)), "y", inputs, weights=record["dy"])
    for name in inputs:
        assert error(got[name], record[f"d.{name}"]) < 1e-4
    changed = netsurgery.gradient(net, dict(feeds(record)), "y", inputs, weights=record["dy"] * 1.01)
    assert any(error(changed[name], record[f"d.{name}"]) > 1e-3 for name in inputs)


def test_the_gradient_of_clip_is_that_of_its_formula() -> None:
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 5 } } }
    layer { name: "l" type: "Clip" bottom: "x" top: "y" clip_param { min: -1 max: 2 } }"""
    x = np.array([[-3, -1, 0, 2, 5]], np.float32)
    got = netsurgery.gradient(from_text(text), {"x": x}, "y", weights=np.arange(1, 6, dtype=np.float32)[None])
    assert got["x"].tolist() == [[0, 2, 3, 4, 0]]


@pytest.mark.parametrize("case", CASES)
def test_backward_gives_what_real_caffe_does(case: str, tmp_path: Path) -> None:
    record = of(case)
    (tmp_path / "net.prototxt").write_text(str(record["net"]))
    net: Any = pycaffe.Net(str(tmp_path / "net.prototxt"), pycaffe.TEST)
    for name, blobs in net.params.items():
        for k, blob in enumerate(blobs):
            blob.data[...] = record[f"p{k}"] if name == "l" else 1 - k
    for name, array in feeds(record):
        net.blobs[name].data[...] = array
    net.forward()
    net.blobs["y"].diff[...] = record["dy"]
    net.backward()
    for name in record:
        if name.startswith("d.p"):
            assert error(net.params["l"][int(name[3:])].diff, record[name]) < 1e-4
        elif name.startswith("d."):
            assert error(net.blobs[name[2:]].diff, record[name]) < 1e-4
