"""The ONNX graphs that one would write by hand for the same nets: to compare with what netsurgery writes, nothing of which is used here.

Sizes are fixed, BatchNorm and Scale are folded into the convolutions, Dropout is left out, no node is more than is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import nets
import numpy as np
import onnx
from onnx import TensorProto, helper

Array = np.ndarray[Any, Any]


class Onnx:
    """A nets.Writer. `weights` are Caffe's blobs by layer."""

    def __init__(self, weights: Mapping[str, Sequence[Array]]) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, Array] = {}
        self.convs: dict[str, tuple[str, str]] = {}
        self.size = 0
        self.flat = False

    def _node(self, op: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def _held(self, name: str, array: Array) -> str:
        self.tensors[name] = array
        return name

    def input(self, size: int) -> str:
        self.size = size
        return "data"

    def conv(
        self, name: str, x: str, out: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1, bias: bool = True
    ) -> str:
        blobs = self.weights[name]
        w = self._held(f"{name}.w", blobs[0])
        b = self._held(f"{name}.b", blobs[1] if bias else np.zeros(out, np.float32))
        self.convs[name] = w, b
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self._node("Conv", name, [x, w, b], group=group, **sizes)

    def normalized(self, suffix: str, x: str) -> str:
        w, b = self.convs[x]
        mean, variance, factor = (blob.astype(np.float64) for blob in self.weights[f"bn{suffix}"])
        scale, shift = (blob.astype(np.float64) for blob in self.weights[f"scale{suffix}"])
        gain = scale / np.sqrt(variance / factor + 1e-5)
        self.tensors[b] = (shift - mean / factor * gain).astype(np.float32)
        self.tensors[w] = (self.tensors[w] * gain[:, None, None, None]).astype(np.float32)
        return x

    def relu(self, name: str, x: str) -> str:
        return self._node("Relu", name, [x])

    def pool(self, name: str, x: str, kernel: int, stride: int, pad: int = 0, how: str = "MAX") -> str:
        sizes = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4, "ceil_mode": int(stride > 1)}
        return self._node("MaxPool" if how == "MAX" else "AveragePool", name, [x], **sizes)

    def global_average(self, name: str, x: str) -> str:
        return self._node("GlobalAveragePool", name, [x])

    def lrn(self, name: str, x: str) -> str:
        return self._node("LRN", name, [x], size=5, alpha=0.0001, beta=0.75, bias=1.0)

    def inner(self, name: str, x: str, out: int) -> str:
        if not self.flat:
            x, self.flat = self._node("Flatten", f"{name}.flat", [x]), True
        w, b = self.weights[name]
        return self._node("Gemm", name, [x, self._held(f"{name}.w", w), self._held(f"{name}.b", b)], transB=1)

    def dropout(self, name: str, x: str) -> str:
        return x

    def concat(self, name: str, xs: Sequence[str]) -> str:
        return self._node("Concat", name, xs, axis=1)

    def add(self, name: str, xs: Sequence[str]) -> str:
        return self._node("Add", name, xs)

    def softmax(self, name: str, x: str) -> str:
        return self._node("Softmax", name, [x], axis=1)

    def model(self) -> onnx.ModelProto:
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "by_hand",
            [info("data", TensorProto.FLOAT, [1, 3, self.size, self.size])],
            [info(self.nodes[-1].output[0], TensorProto.FLOAT, None)],
            [helper.make_tensor(k, TensorProto.FLOAT, v.shape, v.tobytes(), raw=True) for k, v in self.tensors.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def by_hand(name: str, weights: Mapping[str, Sequence[Array]]) -> onnx.ModelProto:
    writer = Onnx(weights)
    nets.NETS[name](writer)
    return writer.model()
