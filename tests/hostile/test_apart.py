"""Models of strangers, given to verify: what they may read, how long they may take."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import netsurgery
from netsurgery import NetsurgeryError
from netsurgery.verification.runtimes import table
from netsurgery.verification.runtimes.apart import Apart, ApartError
from netsurgery.verification.runtimes.session import Opening
from netsurgery.verification.runtimes.table import open_model

NET = 'input: "x" input_shape { dim: 1 dim: 3 } layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'


def saved(path: Path, *nodes: onnx.NodeProto, tensors: list[onnx.TensorProto] | None = None) -> Path:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
    graph = helper.make_graph(list(nodes), "g", values[:1], values[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def relu(path: Path) -> Path:
    return saved(path, helper.make_node("Relu", ["x"], ["y"]))


def endless(path: Path) -> Path:
    """A Loop whose condition stays true."""
    inputs = [
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
        helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 3]),
    ]
    outputs = [
        helper.make_tensor_value_info("on_", TensorProto.BOOL, []),
        helper.make_tensor_value_info("a_", TensorProto.FLOAT, [1, 3]),
    ]
    nodes = [helper.make_node("Identity", ["on"], ["on_"]), helper.make_node("Relu", ["a"], ["a_"])]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    return saved(path, helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body), tensors=[yes])


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> tuple[object, str, str]:
    """The command line in this process: exit code, stdout, stderr."""
    from netsurgery.cli import main

    monkeypatch.setattr("sys.argv", ["netsurgery", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    return ended.value.code or 0, out, err


def test_a_model_that_loops_for_ever_is_ended(
    net: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = endless(tmp_path / "model.onnx")
    code, _, err = run(capfd, monkeypatch, "verify", net, model, "--timeout", "2")
    assert code == 2
    assert "says: no answer within 2 s (--timeout)" in err


def test_a_sound_model_gives_the_same_apart(
    net: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = relu(tmp_path / "model.onnx")
    x = np.array([[-1, 2, 0.5]], np.float32)
    for opened in (open_model(model), open_model(model, seconds=60)):
        assert np.array_equal(opened.run({"x": x}, ["y"])["y"], np.maximum(x, 0))
    for words in ((), ("--timeout", "0")):
        code, _, _ = run(
            capfd, monkeypatch, "verify", net, model, "--every-blob", "--json", tmp_path / "r.json", *words
        )
        assert code == 0
        assert '"passed": true' in (tmp_path / "r.json").read_text()
    assert netsurgery.verify(netsurgery.load(net), model.read_bytes(), timeout=60).passed


def test_a_runtime_that_dies_is_an_error(tmp_path: Path) -> None:
    apart = Apart(60)
    apart.open(Opening(str(relu(tmp_path / "model.onnx"))))
    os.kill(apart._process.pid, signal.SIGSEGV)
    with pytest.raises(ApartError, match="its process ended with signal 11"):
        apart.run(["y"], {"x": np.zeros((1, 3), np.float32)})


DYING = """
import os
from netsurgery.verification.runtimes.onnx_model import OnnxModel

class Dying(OnnxModel):
    name, versions = "dying", {"dying": "1.0"}

    def open(self, extra):
        return None

    def compute(self, instance, asked, feeds):
        if feeds["x"].any():
            os.abort()
        return dict.fromkeys(asked, feeds["x"])

open_model = Dying.of
"""


def test_any_runtime_may_end_its_process_and_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 5 ends the process at a tensor without elements, MNN at some that it cannot hold."""
    (tmp_path / "dying.py").write_text(DYING)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(table, "_load", lambda names, name, what: __import__(name))
    model = open_model(relu(tmp_path / "model.onnx"), "dying", 60)
    zeros, ones = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert not model.run({"x": zeros}, ["y"])["y"].any()
    with pytest.raises(NetsurgeryError, match=r"fails at x 1x3: dying 1\.0 says: its process ended with signal 6$"):
        model.run({"x": ones}, ["y"])
    assert model.run({"x": zeros}, ["y"])["y"].shape == (1, 3)  # in a new one


def test_what_cannot_be_opened_apart_is_the_runtimes_to_say(tmp_path: Path) -> None:
    model = saved(tmp_path / "model.onnx", helper.make_node("Nothing", ["x"], ["y"]))
    with pytest.raises(NetsurgeryError, match=r"model\.onnx: cannot be opened: onnxruntime .* says: .*Nothing"):
        open_model(model, seconds=60).run({"x": np.zeros((1, 3), np.float32)}, ["y"])


def keeping(path: Path, location: str) -> Path:
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [3], [0, 0, 0])
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return saved(path, helper.make_node("Add", ["x", "w"], ["y"]), tensors=[tensor])


ESCAPES: dict[str, Callable[[Path], str]] = {
    "absolute": str,
    "above": lambda secret: f"../{secret.name}",
    "within": lambda secret: f"a/../../{secret.name}",
    "backslashes": lambda secret: f"..\\{secret.name}",
    "of Windows": lambda secret: f"C:\\{secret.name}",
}


@pytest.mark.parametrize("escape", ESCAPES)
def test_numbers_outside_of_the_models_folder_are_not_looked_at(
    escape: str, net: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inner").mkdir()
    secret = tmp_path / "secret"
    location = ESCAPES[escape](secret)
    model = keeping(tmp_path / "inner" / "model.onnx", location)
    said = []
    for there in (True, False):  # the report does not tell whether it is there, how large it is, or its hash
        if there:
            secret.write_bytes(b"secret" * 10)
        else:
            secret.unlink()
        code, _, err = run(capfd, monkeypatch, "verify", net, model)
        assert code == 2
        said.append(err)
    assert said[0] == said[1]
    assert f"the numbers of 'w' are said to be in '{location}', which is not looked at" in said[0]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_bytes(bytes(100))
    (tmp_path / "inner" / "data").symlink_to(tmp_path / "secret")
    model = keeping(tmp_path / "inner" / "model.onnx", "data")
    with pytest.raises(NetsurgeryError) as caught:
        open_model(model)
    assert str(caught.value) == (
        f"{model}: 'data', where it keeps numbers, is a link, which is not looked at\n"
        "  expected: a file in the folder of the model"
    )
