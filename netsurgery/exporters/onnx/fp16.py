"""float16 inside, float32 outside.

data (float32) -> Conv -> Relu -> LRN -> Conv -> Softmax (float32)      becomes

data (float32) -> Cast -> Conv -> Relu -> Cast -> LRN -> Cast -> Conv -> Cast -> Softmax (float32)
                          float16                 float32       float16         float32
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ...net import Net
from .precision import bodies, captured, element_types, feature_nodes

Arrays = dict[str, NDArray[np.generic]]

OPERATORS = frozenset(
    """Abs Add Clip Concat Conv ConvTranspose DepthToSpace Elu Expand Flatten Gather Gemm Identity LeakyRelu MatMul Max MaxPool Min Mul
    Neg PRelu Pad Relu Reshape Sigmoid Slice SpaceToDepth Split Squeeze Sub Tanh Tile Transpose Unsqueeze""".split()  # noqa: SIM905 - read as words
)
"""What computes in float16. Averages and other reductions, powers and exponentials do not: their sums leave its range, or its 11 bits."""

MOVES = frozenset("Concat Expand Flatten Gather Identity Reshape Slice Split Squeeze Tile Transpose Unsqueeze".split())  # noqa: SIM905
"""What only moves numbers: on the way to what is float32 it is so, too, lest the last sums be rounded before boxes are chosen."""

GREATEST = float(np.finfo(np.float16).max)
SMALL = 1024


def to_float16(model: onnx.ModelProto, arrays: Arrays, net: Net) -> tuple[str, ...]:
    """Lets the nodes compute in float16 that may, in place; `arrays` are the numbers of the initializers, which become float16, too.
    Inputs and outputs stay float32. Gives notes: what stays float32 because a weight is beyond float16's range."""
    model.metadata_props.add(key="netsurgery.precision", value="float16")
    return _Halver(model, arrays, net).run()


class _Halver:
    def __init__(self, model: onnx.ModelProto, arrays: Arrays, net: Net) -> None:
        self.graph, self.arrays = model.graph, arrays
        self.features = feature_nodes(model, net)
        self.types = element_types(model, {k: v.tobytes() for k, v in arrays.items() if v.nbytes < SMALL})
        self.outputs = {value.name for value in model.graph.output}
        self.nodes: list[onnx.NodeProto] = []
        self.as_half: dict[str, str] = {}  # value -> its name as float16, once there is one
        self.as_full: dict[
            str, str
        ] = {}  # value computed in float16 -> its name as float32, "" if nobody has needed it yet
        self.full_inputs: set[str] = set()  # what nodes read that stay float32

    def run(self) -> tuple[str, ...]:
        notes = []
        halved = [self._may(node) for node in self.graph.node]
        for i, node in enumerate(self.graph.node):
            if halved[i] and (wide := [name for name in node.input if self._too_large(name)]):
                notes.append(f"node {node.name} stays float32: {wide[0]} holds numbers beyond float16's {GREATEST:g}")
                halved[i] = False
        readers = self._readers()
        for i, node in reversed([*enumerate(self.graph.node)]):
            if node.op_type in MOVES and not any(halved[reader] for name in node.output for reader in readers[name]):
                halved[i] = False
        for i, node in enumerate(self.graph.node):
            if not halved[i]:
                self.full_inputs.update(node.input, *(captured(body) for body in bodies(node)))
        for half, node in zip(halved, self.graph.node, strict=True):
            (self._halve if half else self._keep)(node)
        for value in self.graph.value_info:
            if value.name in self.as_full:
                value.type.tensor_type.elem_type = TensorProto.FLOAT16
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        return tuple(notes)

    def _readers(self) -> defaultdict[str, list[int]]:
        """Which nodes read each value."""
        readers = defaultdict(list)
        for i, node in enumerate(self.graph.node):
            for name in (*node.input, *(name for body in bodies(node) for name in captured(body))):
                readers[name].append(i)
        return readers

    def _may(self, node: onnx.NodeProto) -> bool:
        return (
            not node.domain
            and node.op_type in OPERATORS
            and node.name in self.features
            and self._is_float(node.output[0])
        )

    def _is_float(self, name: str) -> bool:
        return self.types.get(name) == TensorProto.FLOAT

    def _too_large(self, name: str) -> bool:
        array = self.arrays.get(name)
        if array is None or array.dtype != np.float32 or not array.size:
            return False
        return max(float(array.max()), -float(array.min())) > GREATEST

    def _halve(self, node: onnx.NodeProto) -> None:
        for i, name in enumerate(node.input):
            if self._is_float(name):
                node.input[i] = self._half(name)
        self.nodes.append(node)
        for i, name in enumerate(node.output):
            if name in self.outputs:
                node.output[i] = self.as_half[name] = f"{name}:float16"
                self._cast(node.output[i], name, TensorProto.FLOAT)
            elif self._is_float(name):
                self.as_half[name] = name
                self.as_full[name] = ""

    def _keep(self, node: onnx.NodeProto) -> None:
        for i, name in enumerate(node.input):
            node.input[i] = self._full(name)
        for body in bodies(node):
            for name in dict.fromkeys(captured(body)):
                _rename(body, name, self._full(name))
        self.nodes.append(node)

    def _half(self, name: str) -> str:
        if name not in self.as_half:
            self.as_half[name] = f"{name}:float16"
            if name not in self.arrays:
                self._cast(name, self.as_half[name], TensorProto.FLOAT16)
            else:
                self._halve_array(name)
        return self.as_half[name]

    def _halve_array(self, name: str) -> None:
        """The initializer as float16: in place of the old one, unless that is needed as well."""
        halved = self.arrays[name].astype(np.float16)
        if name in self.full_inputs:
            half = self.as_half[name]
            self.graph.initializer.add(name=half, dims=halved.shape, data_type=TensorProto.FLOAT16)
            self.arrays[half] = halved
            return
        self.as_half[name] = name
        self.arrays[name] = halved
        next(p for p in self.graph.initializer if p.name == name).data_type = TensorProto.FLOAT16

    def _full(self, name: str) -> str:
        if name not in self.as_full:
            return name
        if not self.as_full[name]:
            self.as_full[name] = f"{name}:float32"
            self._cast(name, self.as_full[name], TensorProto.FLOAT)
        return self.as_full[name]

    def _cast(self, name: str, top: str, to: int) -> None:
        self.nodes.append(helper.make_node("Cast", [name], [top], f"{top}:Cast", to=to))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    if old == new:
        return
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name == old:
                node.input[i] = new
        for body in bodies(node):
            _rename(body, old, new)
    for value in graph.output:
        if value.name == old:
            value.name = new
