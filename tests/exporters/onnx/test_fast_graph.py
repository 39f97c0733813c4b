"""The graph is the one that one would write by hand, and runtimes find in it what they know how to do fast."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from pathlib import Path

import cases
import hand
import nets
import numpy as np
import onnx
import onnxruntime
import pytest
from one_layer import numbers

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


def test_a_sum_and_a_relu_are_taken_into_a_convolution_at_free_sizes(tmp_path: Path) -> None:
    """onnxruntime does so where it sees that the summands have equal sizes, which no operator's rule tells it."""
    net = netsurgery.initialize(
        from_text(
            'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 6 dim: 9 dim: 9 } } }'
            'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 3 stride: 2 } }'
            'layer { name: "c" type: "Convolution" bottom: "p" top: "c" '
            "convolution_param { num_output: 6 kernel_size: 1 group: 3 } }"
            'layer { name: "e" type: "Eltwise" bottom: "p" bottom: "c" top: "e" }'
            'layer { name: "r" type: "ReLU" bottom: "e" top: "r" }'
        ),
        how="random",
    )
    model = netsurgery.to_onnx(net)
    assert +optimized(model, tmp_path / "model.onnx") == {"MaxPool": 1, "FusedConv": 1}
    x = numbers(2, 6, 12, 7)
    (ours,) = cases.session(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(ours, netsurgery.run(net, {"x": x})["r"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", cases.find("conformance/nets", "conformance/pooling"), ids=cases.name)
def test_sizes_of_one_name_are_equal(case: Path) -> None:
    net = cases.load(case)
    graph = netsurgery.to_onnx(net).graph
    for more in (0, 3, 8):
        sizes = {
            name: [n + more * (i > 1) if isinstance(n, int) else n for i, n in enumerate(shape or ())]
            for name, shape in net.inputs.items()
        }
        try:
            shapes = net.shapes(sizes)
        except netsurgery.NetsurgeryError:  # a net of one size
            assert more
            continue
        by_name: dict[str, set[int]] = collections.defaultdict(set)
        for value in graph.value_info:
            for dim, n in zip(value.type.tensor_type.shape.dim, shapes[value.name], strict=True):
                by_name[dim.dim_param].add(n)
        assert all(len(numbers) == 1 for name, numbers in by_name.items() if name)
