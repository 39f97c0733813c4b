"""The builder of ONNX graphs: nodes, subgraphs, and nodes on constants computed on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import onnx

from ..builder import Array, Body, Builder, Store, Value

if TYPE_CHECKING:
    from ..targets import Target


class GraphBuilder(Builder):
    """Appends ONNX nodes. Implements layers' Op."""

    copy_type = "Identity"
    weight_name = "{layer}.{name}"
    constant_name = "{layer}/const_{label}"

    def __init__(self, store: Store, opset: int, plain: bool = False, aim: Target | None = None) -> None:
        super().__init__(store)
        self.opset, self.plain, self.aim = opset, plain, aim
        self.forms = aim.forms if aim else {}
        self.nodes = aim.nodes if aim else frozenset()
        self.never_empty = aim is not None and aim.never_empty

    def append(
        self, count: int, type: str, inputs: Sequence[Any], attributes: Mapping[str, Any], domain: str = ""
    ) -> list[Value]:
        if type not in self.forms or domain:
            return super().append(count, type, inputs, attributes, domain)
        forms, self.forms = self.forms, {}  # a form may be of the operator that it replaces
        try:
            return [cast("Value", forms[type](self, *inputs, **attributes))]
        finally:
            self.forms = forms

    def custom(self, domain: str, outputs: int, op_type: str, /, *inputs: Any, **attributes: Any) -> tuple[Value, ...]:
        """A node of a domain of the user's choice."""
        return tuple(self.append(outputs, op_type, inputs, attributes, domain))

    def in_onnx_words(self) -> GraphBuilder:
        return self

    def shape_of(self, x: Value, axis: int) -> Value:
        end = {"end": axis + 1} if axis != -1 else {}
        return self("Shape", x, shape=(1,), start=axis, **end)

    def body(self, build: Callable[..., Sequence[Value]], names: Sequence[str]) -> Body:
        inner = GraphBuilder(self.store, self.opset, self.plain, self.aim)
        inner.layer = self.layer
        inputs = [Value(self.store.name(f"{self.layer}/{name}")) for name in names]
        tops = list(build(inner, *inputs))
        inside = {id(x) for operation in inner.operations for x in operation.outputs}
        outputs: list[Value] = []
        for top in tops:  # an output of a subgraph must be written inside it, once
            outputs.append(top if id(top) in inside and top not in outputs else inner.copy(top))
        return Body(inputs, outputs, inner.operations)

    def fold(self, type: str, values: list[Array], attributes: Mapping[str, Any], count: int) -> Sequence[Array] | None:
        if any(isinstance(v, Body) for v in attributes.values()) or type in {"Identity", "RandomNormal"}:
            return None
        if type in _QUICK and not attributes:
            return [np.asarray(_QUICK[type](*values), values[0].dtype)]
        if type == "Concat":
            return [np.concatenate(values, axis=attributes["axis"])]
        if type == "Reshape" and not attributes:
            sizes = [values[0].shape[i] if n == 0 else int(n) for i, n in enumerate(values[1].tolist())]
            return [values[0].reshape(sizes)]
        return _evaluate(type, values, attributes, count, self.opset)


_QUICK: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Max": lambda *x: reduce(np.maximum, x),
    "Min": lambda *x: reduce(np.minimum, x),
}


def _evaluate(type: str, values: list[Array], attributes: Mapping[str, Any], count: int, opset: int) -> list[Array]:
    """The outputs of any node, by ONNX's own reference."""
    from onnx.reference import ReferenceEvaluator

    names = [f"i{i}" for i in range(len(values))]
    outs = [f"o{i}" for i in range(count)]
    node = onnx.helper.make_node(type, names, outs, **attributes)
    graph = onnx.helper.make_graph(
        [node],
        "constant",
        [
            onnx.helper.make_tensor_value_info(n, onnx.helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
            for n, x in zip(names, values, strict=True)
        ],
        [onnx.helper.make_empty_tensor_value_info(o) for o in outs],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    results = ReferenceEvaluator(model).run(None, dict(zip(names, values, strict=True)))
    return [np.asarray(r) for r in results]
