"""Recurrent nets go on from call to call as in real Caffe: in a model that takes and gives its states, and in netsurgery.run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import numpy as np
import onnxruntime
import pytest
from small_nets import with_random_weights

import netsurgery
from netsurgery.errors import RewriteError, ShapeError
from netsurgery.exporters.convert import convert
from netsurgery.exporters.options import Export
from netsurgery.formats.load import from_text
from netsurgery.passes.options import Surgery
from netsurgery.passes.prepare import prepare
from netsurgery.passes.recurrent_state import recurrent_state, state_outputs

with np.load(cases.FIXTURES / "recurrent" / "captioner.npz") as _recorded:
    RECORDED = dict(_recorded)
NETS = ("LSTM1", "LSTM2", "RNN1")


def captioner(key: str) -> netsurgery.Net:
    net = from_text(str(RECORDED[f"{key}/net"]))
    for name in ("emb", key[:-1].lower(), "ip"):
        blobs = [RECORDED[k] for k in RECORDED if k.startswith(f"{key}/weights/{name}/")]
        net = net.with_weights(name, *blobs)
    return net


def steps(key: str) -> list[tuple[dict[str, Any], Any]]:
    words, cont, answers = (RECORDED[f"{key}/{what}"] for what in ("word", "cont", "ip"))
    return [({"word": w, "cont": c}, a) for w, c, a in zip(words, cont, answers, strict=True)]


@pytest.mark.parametrize("key", NETS)
def test_run_keeps_the_state_as_caffe_does(key: str) -> None:
    net, state = captioner(key), dict[str, Any]()
    assert len(steps(key)) == 20
    for feeds, want in steps(key):
        assert not cases.difference(netsurgery.run(net, feeds, ["ip"], state=state)["ip"], want)
    assert set(state) == ({"rnn.h"} if key == "RNN1" else {"lstm.h", "lstm.c"})
    last, want = steps(key)[-1]
    assert cases.difference(netsurgery.run(net, last, ["ip"])["ip"], want), "without its state it says something else"


@pytest.mark.parametrize("key", NETS)
def test_a_model_with_its_state_answers_as_caffe_does(key: str) -> None:
    net = recurrent_state(captioner(key))
    states = state_outputs(net)
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    kept = {name: np.zeros(net.inputs[name] or (), np.float32) for name in states}
    for feeds, want in steps(key):
        names = ["ip", *states.values()]
        answer = dict(zip(names, session.run(names, {**feeds, **kept}), strict=True))
        assert not cases.difference(answer["ip"], want)
        kept = {name: answer[output] for name, output in states.items()}


OTHERS = {
    "Lstm": 'layer { name: "r" type: "Lstm" bottom: "x" bottom: "cont" top: "y" lstm_param { num_output: 4 } }',
    "LSTM, static": 'layer { name: "r" type: "LSTM" bottom: "x" bottom: "cont" bottom: "s" top: "y" recurrent_param { num_output: 4 } }',
}


@pytest.mark.parametrize("name", OTHERS)
def test_two_halves_are_the_whole(name: str) -> None:
    """...of a sequence: what the state is for. The model and netsurgery.run agree on each half."""
    head = """layer { name: "in" type: "Input" top: "x" top: "cont" top: "s" input_param {
      shape { dim: 6 dim: 1 dim: 5 } shape { dim: 6 dim: 1 } shape { dim: 1 dim: 3 } } }"""
    net = with_random_weights(from_text(head + OTHERS[name]))
    exposed = recurrent_state(net)
    assert state_outputs(exposed) == {"r.h": "r.h_next", "r.c": "r.c_next"}
    model = netsurgery.to_onnx(exposed)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    rng = np.random.default_rng(0)
    x, s = rng.normal(size=(6, 1, 5)).astype(np.float32), rng.normal(size=(1, 3)).astype(np.float32)
    cont = np.array([0, 1, 1, 1, 0, 1], np.float32)[:, None]
    want = netsurgery.run(net, {"x": x, "cont": cont, "s": s}, ["y"])["y"]
    state: dict[str, Any] = {}
    kept = {name: np.zeros((1, 1, 4), np.float32) for name in ("r.h", "r.c")}
    for half in (slice(0, 3), slice(3, 6)):
        feeds = {"x": x[half], "cont": cont[half], "s": s}
        got = netsurgery.run(net, feeds, ["y"], state=state)["y"]
        assert not cases.difference(got, want[half])
        fed = {i.name: {**feeds, **kept}[i.name] for i in session.get_inputs()}
        y, h, c = session.run(["y", "r.h_next", "r.c_next"], fed)
        assert not cases.difference(y, want[half])
        kept = {"r.h": h, "r.c": c}


def test_a_net_without_memory_is_refused() -> None:
    with pytest.raises(RewriteError, match="no layer keeps a state from one call to the next"):
        recurrent_state(netsurgery.load(cases.FIXTURES / "digits" / "deploy.prototxt"))


def test_a_state_of_another_size_is_refused() -> None:
    net, state = captioner("LSTM1"), dict[str, Any]()
    feeds, _ = steps("LSTM1")[0]
    netsurgery.run(net, feeds, state=state)
    two = {name: np.concatenate([value, value], axis=1) for name, value in feeds.items()}
    with pytest.raises(ShapeError, match="begin anew with an empty state"):
        netsurgery.run(net, two, state=state)
    state.clear()
    assert netsurgery.run(net, two, ["ip"], state=state)["ip"].shape == (1, 2, 30)


def test_convert_says_that_the_state_is_not_kept_or_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(str(RECORDED["LSTM1/net"]))
    netsurgery.save_caffe(captioner("LSTM1"), tmp_path / "saved.prototxt", tmp_path / "w.caffemodel")
    files = tmp_path / "net.prototxt", tmp_path / "w.caffemodel"
    done = convert(*files, tmp_path / "m.onnx")
    assert done.notes == (
        "layer 'lstm' (LSTM) begins from zeros at each call, in Caffe it goes on from the call before: --recurrent-state",
    )
    surgery = Surgery(recurrent_state=True)
    done = convert(*files, tmp_path / "m.onnx", surgery=surgery, export=Export(outputs=["ip"]))
    assert not done.notes and done.outputs == ("ip", "lstm.h_next", "lstm.c_next")
    (_, net) = prepare(*files, surgery=surgery)
    report = netsurgery.verify(net, tmp_path / "m.onnx")
    assert report.passed
    assert [case.title.rpartition(", ")[2] for case in report.cases[:4]] == ["step 1", "step 2", "step 3", "step 4"]
    other = net.with_weights("lstm", *(w * np.float32(1.05) for w in net["lstm"].weights))
    assert not netsurgery.verify(other, tmp_path / "m.onnx").passed
