"""Models in the runtimes that people deploy to: one that is there agrees and notices damage, one that is not is exit code 2."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cases
import numpy as np
import onnx
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError, UnavailableError, UnsupportedError
from netsurgery.verification.runtimes.table import open_model

LENET = cases.FIXTURES / "conformance" / "surgery" / "lenet"
RUNTIMES = ("openvino", "opencv", "torch", "mnn", "tract", "web")
MISSING = {
    "openvino": ("openvino", "pip install openvino"),
    "opencv": ("cv2", "pip install 'opencv-python-headless>=5'"),
    "torch": ("onnx2torch", "pip install onnx2torch torch"),
    "mnn": ("MNN", "pip install MNN"),
    "tract": ("tract", "pip install tract"),
}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_it_agrees_and_notices_a_damaged_weight(runtime: str) -> None:
    net = cases.load(LENET)
    model = netsurgery.to_onnx(net, static=True)
    try:
        open_model(model, runtime)
    except UnavailableError as error:
        pytest.skip(str(error))
    rtol = 1e-3 if runtime == "mnn" else None  # its Winograd convolutions cost a digit
    ranges = {"data": (-1, 1)}
    assert netsurgery.verify(net, model, runtime=runtime, inner=False, rtol=rtol, ranges=ranges).passed
    damaged = netsurgery.to_onnx(cases.damaged(net), static=True)
    assert not netsurgery.verify(net, damaged, runtime=runtime, inner=False, rtol=rtol, ranges=ranges).passed


@pytest.mark.parametrize("runtime", MISSING)
def test_one_that_is_not_there_is_exit_code_2(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from netsurgery.cli import main

    module, fix = MISSING[runtime]
    monkeypatch.setitem(sys.modules, module, None)
    netsurgery.save_onnx(cases.load(LENET), tmp_path / "m.onnx")
    net = (str(LENET / "net.prototxt"), str(LENET / "net.caffemodel"))
    monkeypatch.setattr(sys, "argv", ["netsurgery", "verify", *net, str(tmp_path / "m.onnx"), "--in", runtime])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert f"is not there: import of {module} halted" in said
    assert f"fix: {fix}" in said


def test_onnxruntime_web_is_looked_for_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETSURGERY_WEB", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/node")
    with pytest.raises(UnavailableError) as missing:
        open_model(netsurgery.to_onnx(cases.load(LENET)), "web")
    assert str(missing.value) == (
        f"onnxruntime-web is not in {tmp_path}\n  expected: its node_modules\n"
        f"  fix: npm install --prefix {tmp_path} onnxruntime-web"
    )
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(UnavailableError, match="Node is not there"):
        open_model(netsurgery.to_onnx(cases.load(LENET)), "web")


def test_a_net_is_no_onnx_model() -> None:
    with pytest.raises(UnsupportedError) as refused:
        open_model(cases.load(LENET), "onnxruntime")
    assert str(refused.value) == (
        "a net in onnxruntime\n  expected: an ONNX model\n  fix: netsurgery convert writes one"
    )


@pytest.mark.parametrize("weights", ["embed", "external"])
def test_a_whole_model_holds_its_weights_and_the_types_of_more_outputs(weights: str, tmp_path: Path) -> None:
    net = cases.load(LENET)
    path = tmp_path / "m.onnx"
    netsurgery.save_onnx(net, path, weights=weights)
    for model in (path, onnx.load(path)):
        opened: Any = open_model(model if isinstance(model, onnx.ModelProto) else str(model), "onnxruntime")
        whole = opened.whole(["conv1"])
        onnx.checker.check_model(whole, full_check=True)
        assert [output.name for output in whole.graph.output] == ["prob", "conv1"]
        feed, _ = cases.runs(LENET)[0]
        (x,) = feed.values()
        x = np.zeros((1, *x.shape[1:2], 28, 28), np.float32)
        name = whole.graph.input[0].name
        want = cases.session(path.as_posix()).run(["prob"], {name: x})[0]
        np.testing.assert_array_equal(cases.session(whole.SerializeToString()).run(["prob"], {name: x})[0], want)


def test_what_a_runtime_says_is_told_with_its_version() -> None:
    model = open_model(netsurgery.to_onnx(cases.load(LENET)), "onnxruntime")
    with pytest.raises(NetsurgeryError, match=r"^<model>: fails at data 1x1x28x27: onnxruntime \d+\.\d+\.\d+ says: "):
        model.run({"data": np.zeros((1, 1, 28, 27), np.float32)}, ["prob"])
