"""Reports as JUnit, JSON, HTML and Markdown; models checked in bulk; numbers recorded. From the command line, as CI uses them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import cases
import numpy as np
import onnx
import pytest
from verify_command import NET, WEIGHTS, command, files, first_blob, run_cli

import netsurgery
from netsurgery.errors import NetsurgeryError


def test_exit_codes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = command(*files(folder, "good.onnx"))
    assert good.exit_code == 0
    assert good.stdout.splitlines()[-1].startswith(
        "good.onnx: agrees with the interpreter (held to Caffe's numbers) in 10 of 10 blobs (worst relative error "
    )
    bad = command(*files(folder, "bad.onnx"))
    assert bad.exit_code == 1
    blob = first_blob(folder)
    layer = netsurgery.load(NET).writer(blob)
    assert bad.stdout.splitlines()[-1] == (
        f"bad.onnx: DIFFERS from blob '{blob}' of layer {layer.title} on; it agrees with the interpreter (held to Caffe's numbers) "
        "in 2 of 10 blobs"
    )
    assert (
        f"first difference: {folder / NET.name}:{layer.source.line}: layer {layer.title}: blob '{blob}': off by "
        in bad.stdout
    )
    missing = command(*files(folder, "missing.onnx"))
    assert missing.exit_code == 2
    assert missing.stderr.startswith("error: missing.onnx could not be compared: ")
    assert missing.stdout == ""
    monkeypatch.setattr(sys, "argv", ["netsurgery"])
    for arguments in ([], [NET], [NET, WEIGHTS], [NET, WEIGHTS, "a.onnx", "b"], ["--manifest", "m.toml", NET]):
        assert isinstance(command(*arguments).exception, NetsurgeryError)


def test_every_blob_is_printed_on_request(folder: Path) -> None:
    shown = command(*files(folder, "good.onnx"), "--verbose", "--batch", 2).stdout
    net = netsurgery.load(NET)
    graph = onnx.load(folder / "good.onnx").graph
    for blob in net.blobs:
        if blob in {name for node in graph.node for name in node.output}:
            assert re.search(rf"^    {re.escape(blob)} +'.*ok$", shown, re.MULTILINE), blob


def test_a_second_net_takes_the_place_of_the_model(folder: Path) -> None:
    net = netsurgery.load(NET, WEIGHTS)
    last = [layer for layer in net.layers if layer.weights][-1]
    other = net.with_weights(last.name, *(w + np.float32(0.1) for w in last.weights))
    netsurgery.save_caffe(other, folder / "other.prototxt", folder / "other.caffemodel")
    assert command(NET, WEIGHTS, NET, WEIGHTS).exit_code == 0
    found = command(NET, WEIGHTS, folder / "other.prototxt", folder / "other.caffemodel")
    assert found.exit_code == 1
    assert f"of layer {last.title} on" in found.stdout


def test_convert_verifies_what_it_wrote(folder: Path, tmp_path: Path) -> None:
    done = run_cli("convert", NET, WEIGHTS, "-o", tmp_path / "m.onnx", "--verify")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("m.onnx: agrees")
    options = "--verify", "--fully-convolutional", "--json"
    done = run_cli("convert", NET, WEIGHTS, "-o", tmp_path / "f.onnx", *options)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["verify"]["passed"] is True


def test_convert_keeps_what_differs_and_says_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsurgery.layers.relu import ReLU

    monkeypatch.setattr(ReLU, "emit", lambda self, op, bottoms, weights: [op("LeakyRelu", bottoms[0], alpha=0.5)])
    done = run_cli("convert", NET, WEIGHTS, "-o", tmp_path / "m.onnx", "--verify")
    assert done.exit_code == 1
    assert (tmp_path / "m.onnx").exists()
    assert f"note: {tmp_path / 'm.onnx'} was written, and is kept; differs" in done.stderr
    assert "DIFFERS from blob" in done.stdout


@pytest.mark.parametrize("whom", ["caffe", "opencv"])
def test_an_opinion_that_is_not_there_is_no_agreement(whom: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # not importable
    monkeypatch.setenv("NETSURGERY_CAFFE_PYTHON", "/nowhere/python")
    found = command(*files(folder, "good.onnx"), "--against", "netsurgery", "--against", whom)
    assert found.exit_code == 2
    told = {"caffe": "/nowhere/python has no Caffe that works: ", "opencv": "opencv is not there: "}[whom]
    assert f"could not be compared: {told}" in found.stderr


def test_opencv_and_onnx_agree_on_digits(folder: Path) -> None:
    pytest.importorskip("cv2")
    found = command(*files(folder, "good.onnx"), "--against", "opencv", "--against", "onnx", "--batch", 2)
    assert found.exit_code == 0, found.stdout + found.stderr
    assert "against OpenCV 4" in found.stdout
    assert "against onnx.ReferenceEvaluator" in found.stdout
    assert "(advisory)" in found.stdout
    assert command(*files(folder, "bad.onnx"), "--against", "opencv").exit_code == 1


def test_an_advisory_opinion_decides_nothing_beside_others() -> None:
    """onnx.ReferenceEvaluator errs in LRN over several items: alone it decides, beside netsurgery it does not."""
    case = cases.FIXTURES / "conformance" / "lrn" / "across_default"
    net = cases.load(case)
    model = netsurgery.to_onnx(net)
    alone = netsurgery.verify(net, model, against="onnx")
    both = netsurgery.verify(net, model, against=["netsurgery", "onnx"])
    assert both.passed
    assert [c.advisory for c in both.cases] == [False] * 3 + [True] * 3
    if alone.passed:
        pytest.skip("this onnx computes LRN right")
    assert alone.first_difference is not None
