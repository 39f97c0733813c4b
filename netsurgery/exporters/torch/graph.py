"""An ONNX graph of ours run in PyTorch, node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import onnx
import torch
from onnx import helper
from torch import Tensor

from .operations import OPERATIONS
from .windows import max_pool_places

Values = dict[str, Any]


class Node:
    """One operation. `reads` and `writes` are names of values, "" for what is left out."""

    def __init__(self, proto: onnx.NodeProto) -> None:
        self.name, self.op_type = proto.name, proto.op_type
        self.operation = OPERATIONS[proto.op_type]
        self.reads, self.writes = list(proto.input), list(proto.output)
        if proto.op_type == "MaxPool" and len(self.writes) > 1:
            self.operation = max_pool_places
        self.attributes: dict[str, Any] = {}
        self.body: list[Node] = []
        self.body_reads: list[str] = []
        self.body_writes: list[str] = []
        for attribute in proto.attribute:
            value = helper.get_attribute_value(attribute)
            if isinstance(value, onnx.GraphProto):
                self.body = [Node(inner) for inner in value.node]
                self.body_reads = [x.name for x in value.input]
                self.body_writes = [x.name for x in value.output]
            else:
                self.attributes[attribute.name] = value.decode() if isinstance(value, bytes) else value

    def __call__(self, held: Values) -> None:
        """Computes what it writes from what is held."""
        inputs = [held[name] if name else None for name in self.reads]
        if self.body:
            outputs = self.operation(self.attributes, self._bound(held), *inputs)
        else:
            outputs = self.operation(self.attributes, *inputs)
        tops = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        held.update(zip(self.writes, tops, strict=False))

    def _bound(self, held: Values) -> Callable[..., Sequence[Tensor]]:
        """The body as a function; what it uses from outside is what is held."""

        def body(*values: Tensor) -> list[Tensor]:
            inner = {**held, **dict(zip(self.body_reads, values, strict=True))}
            for node in self.body:
                node(inner)
            return [inner[name] for name in self.body_writes]

        return body


def unknown(proto: onnx.NodeProto) -> set[str]:
    """The operations of a node and its body that PyTorch has no name for here."""
    missing = {proto.op_type} if proto.op_type not in OPERATIONS or proto.domain else set()
    for attribute in proto.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            missing |= {name for inner in attribute.g.node for name in unknown(inner)}
    return missing


def last_uses(nodes: Sequence[Node], outputs: Sequence[str]) -> list[list[str]]:
    """For each node the values that nothing needs behind it."""
    needed = set(outputs)
    free: list[list[str]] = []
    for node in reversed(nodes):
        reads = {name for name in _all_reads(node) if name}
        free.append(list(reads - needed))
        needed |= reads
    return free[::-1]


def _all_reads(node: Node) -> set[str]:
    reads = set(node.reads)
    for inner in node.body:
        reads |= _all_reads(inner)
    return reads


def run(nodes: Sequence[Node], values: Mapping[str, Tensor], outputs: Sequence[str]) -> dict[str, Tensor]:
    """The outputs, from the values of inputs and constants."""
    held: Values = dict(values)
    for node in nodes:
        node(held)
    return {name: held[name] for name in outputs}


def constant(array: Any) -> Tensor:
    """An array as a tensor; read-only ones are not copied, and never written."""
    import numpy as np

    array = np.require(array, requirements=["C", "A"])
    if array.dtype.kind == "b":
        return torch.tensor(array)
    if not array.flags.writeable:
        array = array.copy()
    return torch.from_numpy(array.reshape(array.shape))
