"""Convolutions by Winograd's algorithm: what they compute, at which sizes they are chosen, and what they do not go with."""

from __future__ import annotations

import json
from pathlib import Path

import cases
import live
import numpy as np
import onnx
import pytest
from one_layer import dims
from verify_command import run_cli

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.exporters.convert import convert
from netsurgery.exporters.onnx.int8 import save_int8
from netsurgery.exporters.options import Export
from netsurgery.formats.load import from_text
from netsurgery.formats.options import Reading

CONV = "num_output: 128 kernel_size: 3"
ERROR = 5e-6
"""Of the largest number of an output."""


def text(params: str, *shape: int) -> str:
    return (
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
        f'layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {{ {params} }} }}\n'
        'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }\n'
    )


def network(params: str, *shape: int) -> netsurgery.Net:
    return netsurgery.initialize(from_text(text(params, *shape)), 1, "random")


def kernels(model: onnx.ModelProto) -> list[list[int]]:
    """Those of the model's convolutions."""
    return [list(a.ints) for node in model.graph.node for a in node.attribute if a.name == "kernel_shape"]


def chosen(net: netsurgery.Net) -> bool:
    return [1, 6, 6] in kernels(netsurgery.to_onnx(net, winograd=True))


@pytest.mark.parametrize(
    "params", [f"{CONV} pad: 1", CONV, f"{CONV} pad_h: 2 pad_w: 0", f"{CONV} pad: 1 bias_term: false"]
)
@pytest.mark.parametrize("static", [False, True])
def test_one_model_is_right_at_every_size(params: str, static: bool) -> None:
    net = network(params, 2, 130, 30, 29)
    model = netsurgery.to_onnx(net, winograd=True, static=static)
    onnx.checker.check_model(model, full_check=True)
    assert kernels(model) == [[1, 6, 6]]
    session = cases.session(model.SerializeToString())
    rng = np.random.default_rng(0)
    for shape in ((2, 130, 30, 29), *(() if static else ((1, 130, 3, 3), (3, 130, 4, 9), (1, 130, 33, 6)))):
        x = np.maximum(rng.normal(size=shape), 0).astype(np.float32)
        exact = netsurgery.run(net, {"x": x}, dtype=np.float64)["c"]
        (y,) = session.run(None, {"x": x})
        assert y.shape == exact.shape
        assert np.abs(y - exact).max() <= ERROR * np.abs(exact).max()


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        (CONV, (1, 127, 40, 40)),
        ("num_output: 127 kernel_size: 3", (1, 128, 40, 40)),
        (f"{CONV} stride: 2", (1, 128, 40, 40)),
        (f"{CONV} dilation: 2", (1, 128, 40, 40)),
        (f"{CONV} group: 2", (1, 256, 40, 40)),
        ("num_output: 128 kernel_h: 3 kernel_w: 1", (1, 128, 40, 40)),
        ("num_output: 128 kernel_size: 5", (1, 128, 40, 40)),
        ("num_output: 512 kernel_size: 3 pad: 1", (1, 512, 12, 16)),
        ("num_output: 256 kernel_size: 3 pad: 1", (1, 256, 13, 16)),
        (f"{CONV} pad: 1", (1, 128, 16, 28)),
    ],
)
def test_what_would_not_be_faster_stays_a_convolution(params: str, shape: tuple[int, ...]) -> None:
    net = network(params, *shape)
    assert not chosen(net)
    assert netsurgery.to_onnx(net, winograd=True) == netsurgery.to_onnx(net)


def test_the_declared_size_decides_and_the_plain_form_is_usual() -> None:
    assert chosen(network("num_output: 384 kernel_size: 3 pad: 1", 1, 384, 13, 16))
    net = network(f"{CONV} pad: 1", 1, 128, 16, 28)
    assert not chosen(net)
    assert [1, 6, 6] in kernels(netsurgery.to_onnx(net, winograd=True, input_shapes={"x": [1, 128, 28, 28]}))
    assert kernels(netsurgery.to_onnx(net)) == [[3, 3]]


def test_images_of_which_there_may_be_none_stay_a_convolution() -> None:
    chosen_images = (
        'layer { name: "x" type: "Input" top: "i" top: "s" '
        "input_param { shape { dim: 2 dim: 128 dim: 30 dim: 30 } shape { dim: 2 } } }"
        'layer { name: "f" type: "Filter" bottom: "i" bottom: "s" top: "x" }'
    )
    layers = text(CONV, 1).split("\n", 1)[1]
    net = netsurgery.initialize(from_text(chosen_images + layers), 1, "random")
    model = netsurgery.to_onnx(net, winograd=True)
    assert kernels(model) == [[3, 3]]
    images = np.ones((2, 128, 30, 30), np.float32)
    (none,) = cases.session(model.SerializeToString()).run(None, {"i": images, "s": np.zeros(2, np.float32)})
    assert none.shape == (0, 128, 28, 28)


@pytest.mark.caffe
@pytest.mark.skipif(live.python() is None, reason="REAL CAFFE IS NOT HERE: netsurgery caffe install makes it")
def test_it_is_what_caffe_computes(tmp_path: Path) -> None:
    trial = live.trial("deep", text(f"{CONV} pad: 1", 1, 128, 27, 30), 3)
    trial.again = {"x": np.random.default_rng(1).normal(size=(2, 128, 24, 15)).astype(np.float32)}
    live.ask_caffe([trial], tmp_path)
    assert trial.net is not None and not trial.caffe_refusal
    session = cases.session(netsurgery.to_onnx(trial.net, winograd=True).SerializeToString())
    for feeds, blobs in ((trial.feeds, trial.caffe), (trial.again, trial.caffe_again)):
        (y,) = session.run(None, feeds)
        assert np.abs(y - blobs["c"]).max() <= ERROR * np.abs(blobs["c"]).max()


@pytest.mark.parametrize("weights", ["embed", "external", "link"])
def test_files(tmp_path: Path, weights: str) -> None:
    prototxt, caffemodel, model = (str(tmp_path / name) for name in ("net.prototxt", "net.caffemodel", "net.onnx"))
    net = network(f"{CONV} pad: 1", 1, 128, 30, 29)
    netsurgery.save_caffe(net, prototxt, caffemodel)
    assert run_cli("convert", prototxt, caffemodel, "-o", model, "--winograd", "--weights", weights).exit_code == 0
    assert run_cli("verify", prototxt, caffemodel, model, "--timeout", 0).exit_code == 0
    written = onnx.load(model)
    assert kernels(written) == [[1, 6, 6]]
    (options,) = (p.value for p in written.metadata_props if p.key == "netsurgery.options")
    assert json.loads(options)["winograd"] is True


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"plain": True}, "--plain"),
        ({"fp16": True}, "--fp16"),
        ({"target": "openvino"}, "--for openvino"),
    ],
)
def test_what_it_does_not_go_with(option: dict[str, object], words: str) -> None:
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.to_onnx(network(CONV, 1, 128, 30, 29), winograd=True, **option)  # type: ignore[arg-type]
    assert str(caught.value) == f"--winograd with {words}\n  expected: one of the two"


@pytest.mark.parametrize(
    ("output", "to", "words"),
    [
        ("net.prototxt", None, "--winograd of what is no ONNX model\n  expected: a name that ends in .onnx"),
        ("folder", "caffe2", "--winograd of what is no ONNX model\n  expected: a name that ends in .onnx"),
        ("net.xml", "openvino", "--winograd with --to openvino\n  expected: one of the two"),
    ],
)
def test_where_there_is_no_such_form(tmp_path: Path, output: str, to: str | None, words: str) -> None:
    prototxt = tmp_path / "deploy.prototxt"
    prototxt.write_text(text(CONV, 1, 128, 30, 29))
    with pytest.raises(NetsurgeryError) as caught:
        convert(prototxt, None, tmp_path / output, Reading(initialize="random"), export=Export(to=to, winograd=True))
    assert str(caught.value) == words
    assert [path.name for path in tmp_path.iterdir()] == ["deploy.prototxt"]


def test_it_does_not_go_with_int8(tmp_path: Path) -> None:
    with pytest.raises(NetsurgeryError) as caught:
        save_int8(network(CONV, 1, 128, 30, 29), tmp_path / "net.onnx", [], winograd=True)
    assert str(caught.value) == "--winograd with --int8\n  expected: one of the two"
