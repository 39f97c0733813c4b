"""The graph is the one that one would write by hand, and runtimes find in it what they know how to do fast."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from pathlib import Path

import cases
import hand
import nets
import onnx
import onnxruntime
import pytest

import netsurgery
from netsurgery.formats.load import from_text


@pytest.fixture(scope="module", params=["googlenet", "resnet50", "mobilenet", "squeezenet"])
def net(request: pytest.FixtureRequest) -> tuple[str, netsurgery.Net]:
    writer = nets.Prototxt(request.param)
    nets.NETS[request.param](writer)
    return request.param, netsurgery.initialize(from_text("\n".join(writer.lines)), how="random")


def kinds(nodes: Iterable[onnx.NodeProto]) -> collections.Counter[str]:
    count = collections.Counter(node.op_type for node in nodes)
    count["Flatten"] += count.pop("Reshape", 0)  # either makes a matrix of a map
    return count


def optimized(model: onnx.ModelProto, path: Path) -> collections.Counter[str]:
    """What onnxruntime makes of it: fused nodes, and those that go to its blocked layout and back."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return kinds(onnx.load(path).graph.node)


def test_the_nodes_are_those_of_a_graph_written_by_hand(net: tuple[str, netsurgery.Net], tmp_path: Path) -> None:
    name, loaded = net
    ours = netsurgery.to_onnx(loaded, plain=True)
    by_hand = hand.by_hand(name, {layer.name: layer.weights for layer in loaded.layers})
    assert kinds(ours.graph.node) == kinds(by_hand.graph.node)
    assert optimized(ours, tmp_path / "ours.onnx") == optimized(by_hand, tmp_path / "hand.onnx")


@pytest.mark.parametrize("case", cases.find("conformance/pooling", "conformance/nets"), ids=cases.name)
def test_no_node_writes_a_mask_that_nobody_reads(case: Path) -> None:
    graph = netsurgery.to_onnx(cases.load(case)).graph
    read = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type in ("MaxPool", "Dropout"):
            assert all(name in read for name in node.output[1:])
