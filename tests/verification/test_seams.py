"""What cannot be compared is said, with what can; and that works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cases
import live
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import UnsupportedError
from netsurgery.exporters.convert import convert
from netsurgery.exporters.options import Export
from netsurgery.formats.load import from_text
from netsurgery.formats.options import Pixels, Reading
from netsurgery.passes.options import Surgery
from netsurgery.passes.recurrent_state import recurrent_state
from netsurgery.verification.files import Pair, Task, run_task
from netsurgery.verification.options import Comparing, Inputs

DIGITS = cases.FIXTURES / "digits" / "deploy.prototxt", cases.FIXTURES / "digits" / "digits.caffemodel"
STEPS = """layer { name: "in" type: "Input" top: "x" top: "cont" input_param { shape { dim: 2 dim: 1 dim: 5 } shape { dim: 2 dim: 1 } } }
layer { name: "r" type: "%s" bottom: "x" bottom: "cont" top: "y" %s { num_output: 4 } }"""


def task(model: Path, reading: Reading = Reading(), files: tuple[Path, Path | None] = DIGITS) -> Task:
    return Task("m", Pair(*files, model), reading, Surgery(), Inputs(), Comparing())


def test_a_model_that_takes_images_is_not_compared(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    convert(*DIGITS, model, pixels=Pixels(mean="33"), export=Export(bake_preprocessing=True))
    report = run_task(task(model))
    assert report.error == (
        f"{model}: takes images: its preprocessing is baked in\n  expected: a model that takes the inputs of the net\n"
        "  fix: verify what the same command writes without --bake-preprocessing, then bake"
    )
    convert(*DIGITS, model, pixels=Pixels(mean="33"))
    assert run_task(task(model)).passed


def test_a_shape_that_differs_is_one_line(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    convert(*DIGITS, model)
    report = run_task(replace(task(model), surgery=Surgery(fully_convolutional=True)))
    first = report.first_difference
    assert first is not None and not report.passed
    assert (first.blob, first.remark) == ("ip1@ip1", "")
    assert first.problem.startswith("shape differs: ")


def test_a_model_that_forgets_is_told_of_the_state(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(STEPS % ("LSTM", "recurrent_param"))
    files, model = (tmp_path / "net.prototxt", None), tmp_path / "m.onnx"
    reading, surgery = Reading(initialize="random"), Surgery(recurrent_state=True)
    convert(*files, model, reading)
    report = run_task(replace(task(model, reading, files), surgery=surgery))
    assert report.error == (
        f"{model}: the net takes its state as input 'r.h', the model does not\n  expected: inputs x, cont, r.h, r.c\n"
        "  fix: convert it with --recurrent-state"
    )
    convert(*files, model, reading, surgery)
    assert run_task(replace(task(model, reading, files), surgery=surgery)).passed


def test_no_caffe_is_written_an_lstm_of_ocr_forks_with_states(tmp_path: Path) -> None:
    net = netsurgery.initialize(from_text(STEPS % ("Lstm", "lstm_param")), 0, "random")
    with pytest.raises(UnsupportedError) as refused:
        netsurgery.save_caffe(recurrent_state(net), tmp_path / "n.prototxt")
    assert str(refused.value).endswith(
        "layer 'r' (Lstm): no Caffe gives its states to an Lstm\n  expected: a layer that some Caffe has\n  fix: write .onnx"
    )
    netsurgery.save_onnx(recurrent_state(net), tmp_path / "m.onnx")
    netsurgery.save_caffe(net, tmp_path / "n.prototxt")


@pytest.mark.caffe
@pytest.mark.skipif(live.python() is None, reason="REAL CAFFE IS NOT HERE: netsurgery caffe install makes it")
@pytest.mark.parametrize("states", [False, True])
def test_caffe_answers_at_every_number_of_steps(states: bool, tmp_path: Path) -> None:
    """...which it takes only when it makes the net."""
    (tmp_path / "net.prototxt").write_text(STEPS % ("LSTM", "recurrent_param"))
    net = netsurgery.initialize(netsurgery.load(tmp_path / "net.prototxt"), 0, "random")
    net = recurrent_state(net) if states else net
    report = netsurgery.verify(net, netsurgery.to_onnx(net), against="caffe")
    assert report.passed and len({case.title.split(", ")[0] for case in report.cases}) == 3
    wrong = net.with_weights("r", *(w * np.float32(1.01) for w in net["r"].weights))
    assert not netsurgery.verify(wrong, netsurgery.to_onnx(net), against="caffe").passed


def test_a_conv_lstm_is_followed_step_by_step() -> None:
    head = """layer { name: "in" type: "Input" top: "x" top: "cont" input_param {
      shape { dim: 6 dim: 1 dim: 2 dim: 4 dim: 5 } shape { dim: 6 dim: 1 } } }
    layer { name: "r" type: "ConvLSTM" bottom: "x" bottom: "cont" top: "y"
      lstm_conv_param { num_output: 3 kernel_size: 3 pad: 1 } lstm_debug_param { axis_hadamard: 3 num_axes_hadamard: 2 } }"""
    net = netsurgery.initialize(from_text(head), 0, "random")
    exposed = recurrent_state(net)
    session = cases.session(netsurgery.to_onnx(exposed).SerializeToString())
    rng = np.random.default_rng(0)
    x, cont = rng.normal(size=(6, 1, 2, 4, 5)).astype(np.float32), np.array([0, 1, 1, 1, 0, 1], np.float32)[:, None]
    want = netsurgery.run(net, {"x": x, "cont": cont}, ["y"])["y"]
    state: dict[str, np.ndarray] = {}
    kept = {name: np.zeros((1, 1, 3, 4, 5), np.float32) for name in ("r.h", "r.c")}
    for step in range(6):
        feeds = {"x": x[step : step + 1], "cont": cont[step : step + 1]}
        assert not cases.difference(netsurgery.run(net, feeds, ["y"], state=state)["y"], want[step : step + 1])
        y, h, c = session.run(["y", "r.h_next", "r.c_next"], {**feeds, **kept})
        assert not cases.difference(y, want[step : step + 1])
        kept = {"r.h": h, "r.c": c}
    alone = netsurgery.run(net, {"x": x[3:4], "cont": cont[3:4]}, ["y"])["y"]
    assert cases.difference(alone, want[3:4]), "without its state it says something else"
