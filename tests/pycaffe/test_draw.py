"""caffe.draw gives the pictures of draw_net.py."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from google.protobuf import text_format

from netsurgery.drawing.dot import render
from netsurgery.errors import NetsurgeryError
from netsurgery.pycaffe import draw
from netsurgery.pycaffe.proto import caffe_pb2

NET = r"""
name: "a \"quoted\" net"
layer { name: "data" type: "Data" top: "data" top: "label" data_param { batch_size: 8 } include { phase: TRAIN } }
layer { name: "in" type: "Input" top: "data" include { phase: TEST } }
layer { name: "c{1}" type: "Convolution" bottom: "data" top: "c" param { lr_mult: 2 }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer { name: "p" type: "Pooling" bottom: "c" top: "p" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "p" top: "ip" inner_product_param { num_output: 10 } exclude { phase: TRAIN } }
"""

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


@pytest.fixture
def net() -> object:
    return text_format.Parse(NET, caffe_pb2.NetParameter())


def test_layers_are_boxes_by_kind_and_edges_bear_num_output(net: object) -> None:
    graph = draw.get_pydot_graph(net, "LR", display_lrm=True)
    assert graph.nodes["c{1}_Convolution"] == {
        "label": r"c\{1\}\n(Convolution)\nkernel size: 3\nstride: 1\npad: 1\nlr mult: 2.0, 1.0",
        "shape": "record",
        "fillcolor": "#FF5050",
        "style": "filled",
    }
    assert graph.nodes["r_ReLU"]["fillcolor"] == "#90EE90"
    assert graph.nodes["p_Pooling"]["label"] == r"p\n(Pooling AVE)\nkernel size: 2\nstride: 2\npad: 0"
    assert [(a, b, e["label"]) for a, b, e in graph.edges][:2] == [
        ("data_Data", "data_blob", "Batch 8"),
        ("data_Data", "label_blob", "Batch 8"),
    ]
    assert ("c{1}_Convolution", "c_blob", {"label": "4"}) in graph.edges
    assert draw.get_layer_label(net.layer[4], "TB") == '"p (Pooling AVE) kernel size: 2 stride: 2 pad: 0"'  # type: ignore[attr-defined]


def test_a_phase_keeps_its_layers(net: object) -> None:
    train = draw.get_pydot_graph(net, "LR", phase=caffe_pb2.TRAIN)
    assert "in_Input" not in train.nodes and "ip_InnerProduct" not in train.nodes
    assert "data_Data" not in draw.get_pydot_graph(net, "LR", phase=caffe_pb2.TEST).nodes
    net.layer[0].exclude.add().phase = 1  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="both include and exclude"):
        draw.get_pydot_graph(net, "LR", phase=caffe_pb2.TEST)


def test_learning_rates_are_of_layers_that_learn(net: object) -> None:
    with pytest.raises(ValueError, match="ReLU layers do not have"):
        draw.get_layer_lr_mult(net.layer[3])  # type: ignore[attr-defined]


@needs_dot
def test_pictures_are_drawn_and_written(net: object, tmp_path: Path) -> None:
    assert draw.draw_net(net, "LR").startswith(b"\x89PNG")
    path = tmp_path / "net.v2.svg"
    draw.draw_net_to_file(net, str(path), "TB", phase=caffe_pb2.TEST)
    text = path.read_text()
    assert "<svg" in text and "c{1} (Convolution)" in text and "a &quot;quoted&quot; net" in text
    graph = draw.get_pydot_graph(net, "LR")
    assert graph.write_raw(str(tmp_path / "net.dot")) and (tmp_path / "net.dot").read_text() == graph.to_string()
    assert graph.create_pdf().startswith(b"%PDF")


@needs_dot
def test_what_dot_refuses_is_said() -> None:
    with pytest.raises(NetsurgeryError, match=r"dot cannot draw this: .*syntax error"):
        render("digraph {{", "svg")
    with pytest.raises(NetsurgeryError, match=r"dot cannot draw this: .*'bmpx'"):
        render("digraph {}", "bmpx")


def test_without_dot_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NetsurgeryError) as caught:
        render("digraph {}", "svg")
    assert "its program dot is not on the PATH" in str(caught.value) and "graphviz.org/download" in str(caught.value)
