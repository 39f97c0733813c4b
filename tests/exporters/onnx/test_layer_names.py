"""Layers that share a name, as Caffe allows: their nodes have names of their own, and each can be addressed."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError, RewriteError
from netsurgery.formats.load import from_text

INPUT = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 5 } } }\n'
TWO = (
    INPUT
    + 'layer { name: "r" type: "ReLU" bottom: "data" top: "a" }\n'
    + 'layer { name: "r" type: "TanH" bottom: "a" top: "b" }\n'
)
CONV = 'layer { name: "c" type: "Convolution" bottom: "%s" top: "%s" convolution_param { num_output: 3 kernel_size: 1 } }\n'
X = np.linspace(-2, 2, 60, dtype=np.float32).reshape(1, 3, 4, 5)


@pytest.mark.parametrize("text", [TWO, INPUT + CONV % ("data", "a") + CONV % ("a", "b")], ids=["no weights", "weights"])
def test_nodes_of_one_name_run(text: str, tmp_path: Path) -> None:
    net = netsurgery.initialize(from_text(text, "net.prototxt"), 0, "random")
    netsurgery.save_onnx(net, tmp_path / "net.onnx")
    model = netsurgery.to_onnx(net)
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert {"r", "r@2"} <= set(names) or {"c", "c@2"} <= set(names)
    (got,) = cases.session(str(tmp_path / "net.onnx")).run(["b"], {"data": X})
    assert not cases.difference(got, netsurgery.run(net, {"data": X}, ["b"])["b"])
    assert netsurgery.verify(net, tmp_path / "net.onnx").passed
    netsurgery.save_onnx(net, tmp_path / "half.onnx", fp16=True)
    assert cases.session(str(tmp_path / "half.onnx")).run(["b"], {"data": X})[0].shape == X.shape


def test_a_name_that_is_taken_is_passed_by() -> None:
    net = from_text(TWO + 'layer { name: "r@2" type: "AbsVal" bottom: "b" top: "c" }\n')
    assert [node.name for node in netsurgery.to_onnx(net).graph.node] == ["r", "r@2'", "r@2"]


def test_each_is_addressed_by_its_number() -> None:
    net = from_text(TWO, "net.prototxt")
    assert (net["r"].type, net["r#1"].type, net["r#2"].type) == ("ReLU", "ReLU", "TanH")
    assert "r#3" not in net
    assert [x.type for x in net.without("r#2").layers] == ["Input", "ReLU"]
    assert [x.name for x in net.renamed(layers={"r#2": "t"}).layers] == ["in", "r", "t"]
    with pytest.raises(RewriteError) as error:
        net.without("r")
    assert str(error.value) == "net.prototxt:3: 2 layers are called 'r'\n  fix: say which: r#1 (ReLU), r#2 (TanH)"
    with pytest.raises(RewriteError, match="2 layers are called 'r'"):
        net.renamed({"r": "s"})


def test_a_top_without_a_name_is_refused() -> None:
    with pytest.raises(NetsurgeryError) as error:
        from_text(INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "" }', "net.prototxt")
    assert str(error.value) == (
        "net.prototxt:2: layer 'r' (ReLU): a top has an empty name\n  expected: a name for each blob\n"
        "  fix: name it, or take the line out"
    )
