"""Forms that every runtime reads alike: what some read wrongly, or not at all, is not written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import onnx
import pytest
from losses import net_of
from one_layer import agree, make, numbers, one

import netsurgery

ALL = cases.find("conformance", "conformance-forks")
assert ALL

NARROW = {"Compress", "ReduceL1", "ReduceL2", "ReduceSumSquare"}
"""MNN takes the axes of these reductions wrongly; OpenCV and tract have no Compress."""


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes(attribute.g)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


@pytest.mark.parametrize("case", ALL, ids=cases.name)
def test_no_case_becomes_what_some_runtime_reads_wrongly(case: Path) -> None:
    model = netsurgery.to_onnx(cases.load(case))
    ranks = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    for node in nodes(model.graph):
        given = attributes(node)
        assert node.op_type not in NARROW
        if node.op_type == "AveragePool" and given.get("ceil_mode"):
            assert not any(given.get("pads", ())) and not given.get("count_include_pad"), "runtimes divide unlike"
        if node.op_type == "MaxPool" and given.get("ceil_mode") and len(node.output) == 1:
            sides = zip(given["kernel_shape"], given["strides"], given.get("pads", ()), strict=False)
            assert all(p <= k - s for k, s, p in sides if p), "runtimes drop windows unlike"
        if node.op_type == "ReduceMean" and given.get("axes"):
            axes = given["axes"]
            assert [*axes] == [*range(axes[0], axes[-1] + 1)], "OpenCV 5 errs"
        if node.op_type == "NonMaxSuppression":
            assert all(ranks.get(name, 1) == 1 for name in node.input[2:]), "scalars"
        if node.op_type == "Conv" and {*given.get("kernel_shape", ())} == {1}:
            assert not any(given.get("pads", ()))
        if node.op_type == "ScatterElements":
            assert given["axis"] >= 0


def test_whether_anything_was_found_is_not_asked_by_equal() -> None:
    """tract and onnxslim take Equal(the number of rows, 0) for false without looking."""
    for folder in ("conformance/detectionoutput/nothing_found", "conformance-forks/detection_output_tl_ssd/users"):
        graph = netsurgery.to_onnx(cases.load(cases.FIXTURES / folder)).graph
        sizes = {node.output[0] for node in graph.node if node.op_type == "Shape"}
        assert not [node.name for node in graph.node if node.op_type == "Equal" and sizes & {*node.input}]


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("sides", ["kernel_size: 2 stride: 2 pad: 1", "kernel_size: 4 stride: 4 pad: 1"])
def test_windows_that_caffe_leaves_out_are_padded_away_at_any_size(pool: str, sides: str) -> None:
    net = make(one("Pooling", f"pooling_param {{ pool: {pool} {sides} }}"), x=(1, 2, 7, 8))
    model = netsurgery.to_onnx(net)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds[-2:] == ["Pad", "MaxPool" if pool == "MAX" else "AveragePool"]
    agree(net, *({"x": numbers(1, 2, h, w) - 2} for h, w in ((7, 8), (8, 7), (9, 12), (13, 4), (6, 5))))


def test_steps_of_a_known_number_stand_one_after_the_other() -> None:
    recurrent = 'layer { name: "y" type: "LSTM" bottom: "x" bottom: "c" top: "y" recurrent_param { num_output: 3 } }'
    for steps, kind in ((4, "Concat"), (33, "Scan")):
        net = netsurgery.initialize(net_of(recurrent, {"x": (steps, 2, 3), "c": (steps, 2)}), how="random")
        assert kind in [node.op_type for node in netsurgery.to_onnx(net, static=True).graph.node]
        assert "Scan" in [node.op_type for node in netsurgery.to_onnx(net).graph.node]
        begins = (numbers(steps, 2) > 0.3).astype("f4")
        agree(net, {"x": numbers(steps, 2, 3), "c": begins})


def test_a_continuation_indicator_makes_the_nodes_own_operator_of_a_layer() -> None:
    text = (
        'layer { name: "c" type: "ContinuationIndicator" bottom: "x" top: "c" '
        "continuation_indicator_param { time_step: 4 axis: 1 } }"
    )
    recurrent = 'layer { name: "y" type: "LSTM" bottom: "x" bottom: "c" top: "y" recurrent_param { num_output: 3 } }'
    net = netsurgery.initialize(net_of(f"{text} {recurrent}", {"x": (4, 2, 3)}), how="random")
    kinds = [node.op_type for node in netsurgery.to_onnx(net).graph.node]
    assert "LSTM" in kinds
    assert "Scan" not in kinds
    agree(net, {"x": numbers(4, 2, 3)}, {"x": numbers(4, 5, 3)})
