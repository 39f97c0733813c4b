"""Layers of which the obvious operator is the slow one: what is exported against the plain node, at the sizes of published nets.

pytest tests/benchmarks/bench_layers.py --benchmark-enable --benchmark-group-by=group
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from one_layer import make, one
from onnx import TensorProto, helper

import netsurgery

LRN = one("LRN", "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")
AVERAGE = one("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")


def session(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def rounded_up(shape: tuple[int, ...]) -> onnx.ModelProto:
    """AveragePool with ceil_mode and padding, the node that says what AVERAGE does."""
    at = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1,) * 4, "ceil_mode": 1, "count_include_pad": 1}
    node = helper.make_node("AveragePool", ["x"], ["y"], **at)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", None)))
    graph = helper.make_graph([node], "plain", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize(
    "shape", [(1, 96, 55, 55), (10, 96, 55, 55), (1, 256, 27, 27), (1, 64, 56, 56), (1, 192, 56, 56)]
)
def test_lrn(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"LRN {shape}"
    run = session(netsurgery.to_onnx(make(LRN, x=shape), plain=way == "plain", static=True))
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    benchmark(run.run, None, {"x": x})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 192, 28, 28), (1, 480, 14, 14)])
def test_average(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"AVE {shape}"
    run = session(rounded_up(shape) if way == "plain" else netsurgery.to_onnx(make(AVERAGE, x=shape), static=True))
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    benchmark(run.run, None, {"x": x})
