"""What is written for a runtime: its opset and sizes, and refusal by name of what it cannot compute."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from losses import net_of

import netsurgery
from netsurgery.errors import NetsurgeryError, UnsupportedError
from netsurgery.exporters.convert import convert
from netsurgery.exporters.options import Export
from netsurgery.exporters.targets import TARGETS, Target

LSTM = cases.FIXTURES / "conformance" / "lstm" / "plain"
SSD = cases.FIXTURES / "conformance" / "detectionoutput" / "center_size_batch2"


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_a_plain_net(name: str) -> None:
    target = TARGETS[name]
    model = netsurgery.to_onnx(cases.load(cases.FIXTURES / "conformance" / "convolution" / "3x3_pad1"), target=name)
    sizes = [dim.dim_value for value in model.graph.input for dim in value.type.tensor_type.shape.dim]
    assert (0 not in sizes) == target.fixed
    assert model.opset_import[0].version == (target.opset or 17)


@pytest.mark.parametrize("name", TARGETS)
def test_operators_that_a_target_lacks_have_reasons(name: str) -> None:
    import onnx

    assert {re.split("[/:]", operator)[0] for operator in TARGETS[name].lacks} <= {
        schema.name for schema in onnx.defs.get_all_schemas()
    }
    assert all(TARGETS[name].lacks.values())


def test_what_a_target_cannot_compute_is_refused_by_name_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with pytest.raises(UnsupportedError) as refused:
        convert(LSTM / "net.prototxt", LSTM / "net.caffemodel", path, export=Export(target="opencv"))
    assert str(refused.value) == (
        f"{LSTM / 'net.prototxt'}:14: layer 'y' (LSTM): becomes Scan, which OpenCV 5 cannot compute: "
        "it has no loops; where the number of steps is known (--static) none is needed\n"
        "  fix: cut the net before it (--output x --output cont), or choose another --for"
    )
    assert not [*tmp_path.iterdir()]
    convert(LSTM / "net.prototxt", LSTM / "net.caffemodel", path, export=Export(target="opencv", static=True))
    convert(LSTM / "net.prototxt", LSTM / "net.caffemodel", path, export=Export(target="openvino"))
    cut = Export(target="opencv", outputs=("x", "cont"))
    convert(LSTM / "net.prototxt", LSTM / "net.caffemodel", path, export=cut)


def test_every_layer_that_cannot_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TARGETS, "tract", Target("tract", "", "", lacks={"Sigmoid": "for a test", "Tanh": "too"}))
    layer = 'layer {{ name: "{0}" type: "{1}" bottom: "x" top: "{0}" }}'
    net = net_of(" ".join(layer.format(*x) for x in (("a", "Sigmoid"), ("b", "TanH"), ("c", "ReLU"))), {"x": (1, 2)})
    with pytest.raises(UnsupportedError, match="2 layers cannot be written for tract:") as refused:
        netsurgery.to_onnx(net, target="tract")
    assert "'a' (Sigmoid): becomes Sigmoid, which" in str(refused.value)
    assert "'b' (TanH): becomes Tanh, which" in str(refused.value)


def test_boxes_are_left_to_the_users_code_where_a_target_cannot_choose_them(tmp_path: Path) -> None:
    done = convert(SSD / "net.prototxt", None, tmp_path / "m.onnx", export=Export(target="tensorrt"))
    assert done.outputs == ("y_boxes", "y_scores", "y_priors")
    assert "the choice of boxes is left to your code, as with --detections raw: TensorRT has none" in done.notes
    full = convert(SSD / "net.prototxt", None, tmp_path / "m.onnx", export=Export(target="openvino"))
    assert full.outputs == ("y",)
    assert netsurgery.verify(cases.load(SSD), tmp_path / "m.onnx").passed


def test_a_target_that_is_none_is_told() -> None:
    with pytest.raises(NetsurgeryError, match=r"^target 'caffe3' is not known\n  expected: one of: onnxruntime, web"):
        netsurgery.to_onnx(cases.load(LSTM), target="caffe3")


def test_a_target_is_of_onnx_models(tmp_path: Path) -> None:
    with pytest.raises(NetsurgeryError) as refused:
        convert(LSTM / "net.prototxt", None, tmp_path / "m.prototxt", export=Export(target="opencv"))
    assert str(refused.value) == ("--for opencv of what is no ONNX model\n  expected: a name that ends in .onnx")


def test_layers_shows_what_a_target_lacks(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from netsurgery.cli import main

    monkeypatch.setattr(sys, "argv", ["netsurgery", "layers", "--for", "opencv", "--json"])
    with pytest.raises(SystemExit):
        main()
    lacks = {row["type"]: row["lacks"] for row in json.loads(capsys.readouterr().out)}
    assert lacks["ROIPooling"] == ["MaxRoiPool"]
    assert lacks["LSTM"] == ["Scan"]
    assert lacks["Convolution"] == []
    monkeypatch.setattr(sys, "argv", ["netsurgery", "layers", "--for", "opencv"])
    with pytest.raises(SystemExit):
        main()
    assert "  Scan: it has no loops; where the number of steps" in capsys.readouterr().out


def test_the_oldest_opset_that_says_all_layers_is_written() -> None:
    plain = netsurgery.to_onnx(cases.load(SSD))
    assert plain.opset_import[0].version == 17
    layer = 'layer { name: "y" type: "Upsample" bottom: "x" bottom: "m" top: "y" upsample_param { scale: 2 } }'
    unpooled = net_of(layer, {"x": (1, 2, 3, 3), "m": (1, 2, 3, 3)})  # a mask that may name a place twice
    assert netsurgery.to_onnx(unpooled).opset_import[0].version == 18
    with pytest.raises(UnsupportedError):
        netsurgery.to_onnx(unpooled, opset=17)


DIGITS = cases.FIXTURES / "digits"
PAIR = (DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")


def test_openvinos_own_format_is_written_by_its_own_converter(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    path = tmp_path / "m.xml"
    done = convert(*PAIR, path, export=Export(to="openvino"))
    assert done.path == path
    assert sorted(file.name for file in tmp_path.iterdir()) == ["m.bin", "m.xml"]
    x = np.random.default_rng(0).random((2, 1, 28, 28), dtype=np.float32)
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    want = netsurgery.run(netsurgery.load(*PAIR), {"data": x})["prob"]
    np.testing.assert_allclose(model({"data": x})["prob"], want, rtol=1e-4, atol=1e-6)


def test_what_does_not_go_with_openvinos_format_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, export, text in (
        ("m.onnx", Export(to="openvino"), "'m.onnx' with --to openvino\n  expected: a name that ends in .xml"),
        ("m.xml", Export(to="openvino", fp16=True), "--fp16 with --to openvino\n  expected: one of the two"),
        ("m.xml", Export(to="openvino", target="mnn"), "--for mnn with --to openvino\n  expected: one of the two"),
    ):
        with pytest.raises(NetsurgeryError) as refused:
            convert(*PAIR, name, export=export)
        assert str(refused.value) == text
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(NetsurgeryError, match=r"openvino is not there: .*\n.*\n  fix: pip install openvino"):
        convert(*PAIR, tmp_path / "m.xml", export=Export(to="openvino"))
    assert not [*tmp_path.iterdir()]
