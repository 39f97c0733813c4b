"""The ONNX graph under construction: what the layers' `emit` is handed (layers/core/layer_type.py: Graph)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...layers.core.dims import Shape

Array = NDArray[Any]


@dataclass(eq=False)
class Tensor:
    """A value in the graph. `value` holds the numbers of a constant."""

    name: str
    shape: Shape | None = None
    value: Array | None = None


@dataclass
class Node:
    op_type: str
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    attributes: Mapping[str, Any]
    name: str = ""
    domain: str = ""


@dataclass
class Body:
    """A subgraph, for Scan, Loop and If."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    nodes: list[Node]


@dataclass
class Store:
    """What the graph and its subgraphs share: names and initializers."""

    opset: int
    names: set[str] = field(default_factory=set)
    constants: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)
    weights: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)
    sizes: dict[tuple[int, int, int], Tensor] = field(default_factory=dict)

    def name(self, wish: str) -> str:
        """`wish`, or with a number behind it if that is taken."""
        name, n = wish, 1
        while name in self.names:
            n += 1
            name = f"{wish}_{n}"
        self.names.add(name)
        return name


class GraphBuilder:
    """Appends nodes for one layer after another. Implements layers/core/layer_type.py's Graph."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.nodes: list[Node] = []
        self.layer = ""

    @property
    def opset(self) -> int:
        return self.store.opset

    def __call__(self, op_type: str, /, *inputs: Any, shape: Shape | None = None, **attributes: Any) -> Tensor:
        (output,) = self._node(1, op_type, inputs, attributes)
        if shape is not None and output.value is None:
            output.shape = shape
        return output

    def many(self, outputs: int, op_type: str, /, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        return tuple(self._node(outputs, op_type, inputs, attributes))

    def custom(self, domain: str, outputs: int, op_type: str, /, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        """A node of a domain of the user's choice."""
        return tuple(self._node(outputs, op_type, inputs, attributes, domain))

    def weight(self, array: Array, name: str) -> Tensor:
        array = np.asarray(array, dtype=np.float32)
        key = (array.__array_interface__["data"][0], array.shape, array.strides)
        if array.size == 0 or key not in self.store.weights:
            self.store.weights[key] = Tensor(self.store.name(f"{self.layer}.{name}"), array.shape, array)
        return self.store.weights[key]

    def const(self, value: Any, dtype: str = "float32") -> Tensor:
        return self._constant(np.asarray(value, dtype))

    def size(self, x: Tensor, axis: int) -> Tensor:
        if x.shape is not None and isinstance(n := x.shape[axis], int):
            return self.ints(n)
        if x.value is not None:
            return self.ints(x.value.shape[axis])
        rank_free = axis if axis >= 0 or x.shape is None else axis + len(x.shape)
        key = (id(self), id(x), rank_free)
        if key not in self.store.sizes:
            attributes = {"start": rank_free, **({"end": rank_free + 1} if rank_free != -1 else {})}
            self.store.sizes[key] = self("Shape", x, shape=(1,), **attributes)
        return self.store.sizes[key]

    def ints(self, *parts: Any) -> Tensor:
        merged: list[Tensor | list[int]] = []
        for part in parts:
            if isinstance(part, Tensor) and part.value is None:
                merged.append(part)
                continue
            numbers = [int(n) for n in np.ravel(part.value if isinstance(part, Tensor) else part)]  # type: ignore[arg-type]
            if merged and isinstance(merged[-1], list):
                merged[-1].extend(numbers)
            else:
                merged.append(numbers)
        tensors = [self.const(part, "int64") if isinstance(part, list) else part for part in merged]
        if not tensors:
            return self.const([], "int64")
        return tensors[0] if len(tensors) == 1 else self("Concat", *tensors, axis=0)

    def reshape(self, x: Tensor, *parts: Any, shape: Shape | None = None) -> Tensor:
        return self("Reshape", x, self.ints(*parts), shape=shape)

    def body(self, build: Callable[..., Sequence[Tensor]], names: Sequence[str]) -> Body:
        inner = GraphBuilder(self.store)
        inner.layer = self.layer
        inputs = [Tensor(self.store.name(f"{self.layer}/{name}")) for name in names]
        built = list(build(inner, *inputs))
        outputs: list[Tensor] = []
        made = {id(t) for node in inner.nodes for t in node.outputs}
        for tensor in built:  # an output of a subgraph must be made inside it, once
            if id(tensor) not in made or tensor in outputs:
                tensor = inner("Identity", tensor) if tensor.value is None else inner._raw("Identity", tensor)
            outputs.append(tensor)
        return Body(inputs, outputs, inner.nodes)

    def _raw(self, op_type: str, *inputs: Tensor) -> Tensor:
        output = Tensor(self.store.name(f"{self.layer}/{op_type}"))
        self.nodes.append(Node(op_type, list(inputs), [output], {}, output.name))
        return output

    def _node(
        self, count: int, op_type: str, inputs: Sequence[Any], attributes: Mapping[str, Any], domain: str = ""
    ) -> list[Tensor]:
        tensors = [self._operand(x) for x in inputs]
        while tensors and tensors[-1] is None:
            tensors.pop()
        attributes = {k: v for k, v in attributes.items() if v is not None}
        if (
            tensors
            and not domain
            and all(t is not None and t.value is not None and t.value.size < 1 << 20 for t in tensors)
        ):
            folded = _fold(
                op_type,
                [t.value for t in tensors if t is not None and t.value is not None],
                attributes,
                count,
                self.opset,
            )
            if folded is not None and all(v.size < 1 << 20 for v in folded):  # an Expand may make much of little
                return [self._constant(v) for v in folded]
        name = self.store.name(f"{self.layer}/{op_type}")
        outputs = [Tensor(name if i == 0 else self.store.name(f"{name}:{i}")) for i in range(count)]
        self.nodes.append(Node(op_type, tensors, outputs, attributes, name, domain))
        return outputs

    def _operand(self, x: Any) -> Tensor | None:
        if x is None or isinstance(x, Tensor):
            return x
        if isinstance(x, float):
            return self.const(x)
        if isinstance(x, np.ndarray):
            return self._constant(x if x.dtype != np.float64 else x.astype(np.float32))
        raise AssertionError(f"operand {x!r}: use op.const or op.ints")

    def _constant(self, array: Array) -> Tensor:
        key = (array.dtype.str, array.shape, array.tobytes() if array.size < 1 << 16 else id(array))
        if key not in self.store.constants:
            label = "x".join(str(n) for n in array.shape) or "scalar"
            name = self.store.name(
                f"{array.dtype.name}:{_numbers(array)}" if array.size <= 4 else f"{self.layer}/const_{label}"
            )
            self.store.constants[key] = Tensor(name, array.shape, array)
        return self.store.constants[key]


def _numbers(array: Array) -> str:
    return ",".join(f"{v:.9g}" if array.dtype.kind == "f" else str(v) for v in array.ravel().tolist()) or "empty"


_QUICK: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Max": lambda *x: reduce(np.maximum, x),
    "Min": lambda *x: reduce(np.minimum, x),
}


def _fold(
    op_type: str, inputs: list[Array], attributes: Mapping[str, Any], count: int, opset: int
) -> list[Array] | None:
    """The outputs of a node whose inputs are constant; None for what should stay a node."""
    if any(isinstance(v, Body) for v in attributes.values()) or op_type in {"Identity", "RandomNormal"}:
        return None
    if op_type in _QUICK and not attributes:
        return [np.asarray(_QUICK[op_type](*inputs), inputs[0].dtype)]
    if op_type == "Concat":
        return [np.concatenate(inputs, axis=attributes["axis"])]
    if op_type == "Reshape" and not attributes:
        wanted = [inputs[0].shape[i] if n == 0 else int(n) for i, n in enumerate(inputs[1].tolist())]
        return [inputs[0].reshape(wanted)]
    from onnx.reference import ReferenceEvaluator

    names = [f"i{i}" for i in range(len(inputs))]
    outs = [f"o{i}" for i in range(count)]
    node = onnx.helper.make_node(op_type, names, outs, **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for n, x in zip(names, inputs, strict=True)
        ],
        [onnx.helper.make_empty_tensor_value_info(o) for o in outs],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    results = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    return [np.asarray(r) for r in results]
