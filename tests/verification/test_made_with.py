"""What a model records of how it was made is done to the net that it is compared with; and a model is opened once when it is written."""

from __future__ import annotations

import json
from pathlib import Path

import cases
import onnx
import pytest
from verify_command import command

from netsurgery.errors import NetsurgeryError
from netsurgery.exporters.convert import convert
from netsurgery.exporters.onnx import opened
from netsurgery.exporters.options import Export
from netsurgery.formats.options import Reading
from netsurgery.passes.options import Surgery
from netsurgery.verification.files import Pair, Task, run_task

NET, WEIGHTS = (cases.FIXTURES / "digits" / name for name in ("deploy.prototxt", "digits.caffemodel"))


def test_surgery_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    convert(NET, WEIGHTS, path, surgery=Surgery(fully_convolutional=True, rename={"ip1": "conv3"}))
    report = run_task(Task("m", Pair(NET, WEIGHTS, path)))
    assert report.passed, report.error
    assert report.notes[0] == "the net is taken as the model was converted: --fully-convolutional --rename"
    said = Surgery(fully_convolutional=True, rename={"ip1": "other"})
    assert run_task(Task("m", Pair(NET, WEIGHTS, path), surgery=said)).passed


def test_without_the_record_a_shape_that_differs_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    convert(NET, WEIGHTS, path, surgery=Surgery(fully_convolutional=True))
    model = onnx.load(path)
    kept = [p for p in model.metadata_props if p.key != "netsurgery.options"]
    assert len(kept) == len(model.metadata_props) - 1
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, path)
    told = command(NET, WEIGHTS, path, "--size", "28")
    assert told.exit_code == 1
    line = next(text for text in told.stdout.splitlines() if text.split()[:1] == ["ip1@ip1"])
    assert "shape differs" in line
    assert not any(word in line for word in ("inf", "1.0000000", "exact"))


def test_outputs_phase_and_made_up_weights_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    convert(NET, WEIGHTS, path, export=Export(outputs=["ip1"]))
    assert run_task(Task("m", Pair(NET, WEIGHTS, path))).passed
    convert(NET, None, path, Reading(initialize="random", seed=7))
    told = json.loads(next(p.value for p in onnx.load(path).metadata_props if p.key == "netsurgery.options"))
    assert told == {"initialize": "random", "seed": 7}
    assert run_task(Task("m", Pair(NET, None, path))).passed
    assert not run_task(Task("m", Pair(NET, WEIGHTS, path))).passed


def test_fewer_bits_bring_their_tolerance(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    convert(NET, WEIGHTS, path, export=Export(fp16=True))
    report = run_task(Task("m", Pair(NET, WEIGHTS, path)))
    assert report.passed
    assert report.tolerance.rtol == 1e-2
    assert "a model of fewer bits" in report.notes[0]


def test_what_is_no_record_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    convert(NET, WEIGHTS, path)
    model = onnx.load(path)
    assert "netsurgery.options" not in {p.key for p in model.metadata_props}
    for text in ("[", "3", '{"phase": 4}'):
        model.metadata_props.add(key="netsurgery.options", value=text)
        onnx.save(model, path)
        assert run_task(Task("m", Pair(NET, WEIGHTS, path))).verdict == "could not be compared"
        del model.metadata_props[-1]


def test_a_model_that_onnxruntime_does_not_open_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    convert(NET, WEIGHTS, path)
    opened.require_opens(path)
    model = onnx.load(path)
    model.graph.node[1].name = model.graph.node[0].name = "twice"
    onnx.save(model, path)
    with pytest.raises(
        NetsurgeryError, match=r"m.onnx: was written, and onnxruntime .* does not open it: .*twice"
    ) as error:
        opened.require_opens(path)
    assert "--no-check" in error.value.fix
