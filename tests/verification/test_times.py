"""netsurgery time: every node's time is its layer's, and real Caffe stands beside it where it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import cases
import pytest
import seeing

import netsurgery
from netsurgery.errors import NetsurgeryError, UnavailableError
from netsurgery.formats.load import from_text
from netsurgery.passes.initialize import initialize
from netsurgery.verification.reports.times_chart import times_figure
from netsurgery.verification.side.opened import python_for
from netsurgery.verification.side.recipe import CAFFE
from netsurgery.verification.times import LayerTime, Times, _by_layer, _per_round, time_net
from netsurgery.vision.figures import figure_png

NET = cases.FIXTURES / "digits" / "deploy.prototxt", cases.FIXTURES / "digits" / "digits.caffemodel"
Command = Callable[..., tuple[int, str, str]]
needs_caffe = pytest.mark.skipif(python_for(CAFFE)[0] is None, reason="no Caffe here")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *words: seeing.call(monkeypatch, capsys, *words)


def test_every_layer_that_works_has_its_time() -> None:
    times = time_net(netsurgery.load(*NET), rounds=3, caffe=False)
    spent = {layer.name for layer in times.layers if layer.seconds > 0}
    assert {"conv1", "pool1", "conv2", "pool2", "ip1", "ip2", "prob"} <= spent
    assert "data" not in {layer.name for layer in times.layers}
    conv1 = times.layers[0]
    assert conv1.macs == 172800 and conv1.flops == 2 * 172800 / conv1.seconds
    assert times.total > 0 and times.shapes == {"data": (1, 1, 28, 28)}


def test_names_of_nodes_lead_to_layers() -> None:
    """With what onnxruntime appends, and where one layer is several nodes; what it adds itself is nobody's."""
    layers = "".join(
        f'layer {{ name: "{name}" type: "ReLU" bottom: "{below}" top: "{name}" }}'
        for below, name in (("data", "a"), ("a", "inception/1x1"), ("inception/1x1", "b"))
    )
    net = from_text('layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }' + layers)
    nodes = {
        "a_nchwc_kernel_time": 1.0,
        "inception/1x1_kernel_time": 2.0,
        "inception/1x1/Mul_kernel_time": 4.0,
        "fused b_kernel_time": 8.0,
        "ReorderInput_kernel_time": 16.0,
        "inception/Cast_kernel_time": 32.0,
    }
    rows, other = _by_layer(net, nodes, {"data": [1, 2]})
    assert {row.name: row.seconds for row in rows} == {"a": 1, "inception/1x1": 6, "b": 8}
    assert other == 48
    # warm-up first, then three forwards of two runs each
    assert _per_round([9, 9, 1, 2, 3, 4, 1, 1], 4) == 3


def test_the_time_of_a_convolution_stays_its_own_when_others_are_fused_into_it() -> None:
    """In onnxruntime's blocked layout the node bears the name of the last of them."""
    text = (
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 16 dim: 40 dim: 40 } } }'
        'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 16 kernel_size: 3 } }'
        'layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }'
        'layer { name: "relu" type: "ReLU" bottom: "bn" top: "bn" }'
    )
    times = time_net(initialize(from_text(text), 0, "random"), rounds=3, caffe=False)
    spent = {layer.name: layer.seconds for layer in times.layers}
    assert spent["conv"] > 0
    assert spent["bn"] == spent["relu"] == 0
    assert times.other < spent["conv"]


def test_a_converted_model_at_another_size_is_timed(command: Command, tmp_path: Path) -> None:
    net = netsurgery.convolutionalize(netsurgery.load(*NET))
    netsurgery.save_onnx(net, tmp_path / "model.onnx")
    netsurgery.save_caffe(net, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    code, out, err = command(
        "time", tmp_path / "net.prototxt", tmp_path / "net.caffemodel", tmp_path / "model.onnx",
        *("--input-shape", "data=2,1,60,44", "--rounds", 2, "--no-caffe", "--json", "-o", tmp_path / "times.svg"),
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["inputs"] == {"data": [2, 1, 60, 44]}
    assert told["layers"][0]["macs"] == 2 * 12 * 25 * 56 * 40
    assert told["caffe"] is None
    root = ET.fromstring((tmp_path / "times.svg").read_text())
    assert len([e for e in root.iter() if (e.get("id") or "").startswith("onnxruntime-")]) >= 6


def test_weights_are_made_up_and_what_is_no_model_is_said(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("time", NET[0], "--rounds", 1, "--no-caffe")
    assert code == 0 and "conv1" in out and "reordering and the like" in out
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(NetsurgeryError, match=r"(?s) does not open it: .*expected: an ONNX model"):
        time_net(netsurgery.load(*NET), tmp_path / "broken.onnx", caffe=False)


def test_without_caffe_it_is_left_out_or_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NETSURGERY_CAFFE_PYTHON", os.fspath(tmp_path / "nowhere"))
    net = netsurgery.load(*NET)
    assert time_net(net, rounds=1).caffe is None
    with pytest.raises(UnavailableError):
        time_net(net, rounds=1, caffe=True)


@needs_caffe
def test_real_caffe_stands_beside_it() -> None:
    times = time_net(netsurgery.load(*NET), rounds=3, caffe=True)
    assert times.caffe is not None and times.caffe > 0
    assert all(layer.caffe is not None and layer.caffe > 0 for layer in times.layers)


def test_the_chart_is_to_scale() -> None:
    rows = (LayerTime("conv<1>", "Convolution", 0.004, 10, 0.008), LayerTime("relu", "ReLU", 0.0, 0, None))
    figure = times_figure(Times(rows, 0.005, 0.001, 1, 2, {}, 0.009), "a & b $x$")
    bars = {bar.get_gid(): bar.get_width() for bar in figure.axes[0].patches}
    assert bars == {"onnxruntime-0": pytest.approx(4), "Caffe-0": pytest.approx(8)}
    root = ET.fromstring(figure_png(figure, "svg"))
    texts = [e.text for e in root.iter() if e.text]
    assert {"a & b $x$: milliseconds", "conv<1>", "onnxruntime, 5 in all", "Caffe, 9 in all"} <= set(texts)
    widths = {str(e.get("id")): _width(e) for e in root.iter() if str(e.get("id"))[:-2] in ("onnxruntime", "Caffe")}
    assert widths["Caffe-0"] == pytest.approx(2 * widths["onnxruntime-0"]) and widths["Caffe-0"] > 100


def _width(bar: ET.Element) -> float:
    """Of the path of a bar."""
    places = [float(x) for e in bar.iter() for x in re.findall("[ML] ([0-9.]+)", e.get("d") or "")]
    return max(places) - min(places)
