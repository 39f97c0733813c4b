"""The program under construction: what layers' `emit` and `emit_caffe2` are handed. What ONNX and Caffe2 have in common is here; each
target's builder says what differs (onnx/graph.py, caffe2/graph.py)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers.core.dims import Shape

Array = NDArray[Any]

FOLDED_SIZE = 1 << 20
"""Operations on constants of up to so many numbers are done on the spot."""
COMPARED_SIZE = 1 << 16
"""Constants of fewer numbers than this are told apart by their numbers, larger ones by the array."""


@dataclass(eq=False)
class Value:
    """A tensor of the program. `value` holds the numbers of a constant. Implements layers' Tensor."""

    name: str
    shape: Any = None
    value: Array | None = None
    distinct: bool = False
    repeated: Array | None = None
    """What it repeats along axes of free size, if it does nothing else."""

    @property
    def numbers(self) -> Array | None:
        return self.repeated if self.value is None else self.value


@dataclass(eq=False)
class Operation:
    """One operation, in the words of its target; an input left out is None."""

    type: str
    inputs: list[Value | None]
    outputs: list[Value]
    attributes: Mapping[str, Any]
    layer: str
    name: str = ""
    domain: str = ""

    def reads(self) -> Iterator[Value]:
        """Every value that it needs, those of its bodies included."""
        yield from (x for x in self.inputs if x is not None)
        for attribute in self.attributes.values():
            if isinstance(attribute, Body):
                for inner in attribute.operations:
                    yield from inner.reads()
                yield from attribute.outputs


@dataclass
class Body:
    """A program inside an operation: for Scan, Loop and If."""

    inputs: list[Value]
    outputs: list[Value]
    operations: list[Operation]


@dataclass
class Store:
    """What a program and its bodies share: names and constants."""

    names: set[str] = field(default_factory=set)
    constants: dict[tuple[Any, ...], Value] = field(default_factory=dict)
    weights: dict[tuple[Any, ...], Value] = field(default_factory=dict)
    sizes: dict[tuple[int, int, int], Value] = field(default_factory=dict)

    def name(self, wish: str) -> str:
        """`wish`, or with a number behind it if that is taken."""
        name, n = wish, 1
        while name in self.names:
            n += 1
            name = f"{wish}_{n}"
        self.names.add(name)
        return name


class Builder(ABC):
    """Appends operations for one layer after another; `layer` is the name of the one at work."""

    plain = False
    """Whether layers are to be the nodes that are meant for them, though others are faster."""
    nodes: frozenset[str] = frozenset()
    """Of what the runtime has fast kernels."""
    never_empty = False
    """Whether no tensor may be without elements."""
    copy_type: str
    """The operation that gives a value once more, under a name of its own."""
    weight_name: str
    """How a weight is named after its layer."""
    constant_name: str
    """How a constant of more than four numbers is named after its layer and shape."""
    views: frozenset[str] = frozenset()
    """Operations that are done on the spot on constants of any size: their outputs are views."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.operations: list[Operation] = []
        self.layer = "net"

    @abstractmethod
    def fold(self, type: str, values: list[Array], attributes: Mapping[str, Any], count: int) -> Sequence[Array] | None:
        """The outputs of an operation on constants; None for what stays an operation."""

    @abstractmethod
    def shape_of(self, x: Value, axis: int) -> Value:
        """The operation that tells the size of one axis, which may count from the end where the rank of x is unknown."""

    def extra_outputs(self, type: str) -> Sequence[str]:
        """Outputs that an operation must have behind those that are used."""
        return ()

    def __call__(self, type: str, /, *inputs: Any, shape: Shape | None = None, **attributes: Any) -> Value:
        (output,) = self.append(1, type, inputs, attributes)
        if shape is not None and output.value is None:
            output.shape = shape
        return output

    def many(self, outputs: int, type: str, /, *inputs: Any, **attributes: Any) -> tuple[Value, ...]:
        return tuple(self.append(outputs, type, inputs, attributes))

    def weight(self, array: Array, name: str) -> Value:
        array = np.asarray(array, dtype=np.float32)
        key = (array.__array_interface__["data"][0], array.shape, array.strides)
        if array.size == 0 or key not in self.store.weights:
            wish = self.weight_name.format(layer=self.layer, name=name)
            self.store.weights[key] = Value(self.store.name(wish), array.shape, array)
        return self.store.weights[key]

    def const(self, value: Any, dtype: str = "float32") -> Value:
        return self.constant(np.asarray(value, dtype))

    def size(self, x: Value, axis: int) -> Value:
        sizes = x.shape if x.shape is not None else x.value.shape if x.value is not None else None
        if sizes is not None:
            if isinstance(n := sizes[axis], int):
                return self.ints(n)
            axis %= len(sizes)
        key = (id(self.operations), id(x), axis)
        if key not in self.store.sizes:
            self.store.sizes[key] = self.shape_of(x, axis)
        return self.store.sizes[key]

    def square(self, x: Value) -> Value:
        return self("Mul", x, x)

    def ints(self, *parts: Any) -> Value:
        merged: list[Value | list[int]] = []
        for part in parts:
            if isinstance(part, Value) and part.value is None:
                merged.append(part)
                continue
            numbers = [int(n) for n in np.ravel(part.value if isinstance(part, Value) else part)]  # type: ignore[arg-type]
            if merged and isinstance(merged[-1], list):
                merged[-1].extend(numbers)
            else:
                merged.append(numbers)
        values = [self.const(part, "int64") if isinstance(part, list) else part for part in merged if part != []]
        if not values:
            return self.const([], "int64")
        return values[0] if len(values) == 1 else self("Concat", *values, axis=0)

    def reshape(self, x: Value, *parts: Any, shape: Shape | None = None) -> Value:
        return self("Reshape", x, self.ints(*parts), shape=shape)

    def copy(self, x: Value) -> Value:
        """x once more, under a name of its own. Never done on the spot: a name is what it is for."""
        output = Value(self.store.name(f"{self.layer}/{self.copy_type}"), x.shape)
        self.operations.append(Operation(self.copy_type, [x], [output], {}, self.layer, output.name))
        return output

    def append(
        self, count: int, type: str, inputs: Sequence[Any], attributes: Mapping[str, Any], domain: str = ""
    ) -> list[Value]:
        """The outputs of an operation, done on the spot where all that it reads is constant."""
        operands = [self.operand(x) for x in inputs]
        while operands and operands[-1] is None:
            operands.pop()
        attributes = {name: value for name, value in attributes.items() if value is not None}
        values = [x.value for x in operands if x is not None and x.value is not None]
        if values and len(values) == len(operands) and not domain and self._small(type, values):
            folded = self.fold(type, values, attributes, count)
            if folded is not None and self._small(type, folded):  # an Expand may make much of little
                return [self.constant(v) for v in folded]
        name = self.store.name(f"{self.layer}/{type}")
        outputs = [Value(name if i == 0 else self.store.name(f"{name}:{i}")) for i in range(count)]
        if type == "Expand" and operands[0] is not None:
            outputs[0].repeated = operands[0].value
        extra = [Value(self.store.name(f"{name}:{what}")) for what in self.extra_outputs(type)]
        self.operations.append(Operation(type, operands, outputs + extra, attributes, self.layer, name, domain))
        return outputs

    def _small(self, type: str, values: Sequence[Array]) -> bool:
        return type in self.views or all(v.size < FOLDED_SIZE for v in values)

    def operand(self, x: Any) -> Value | None:
        if x is None or isinstance(x, Value):
            return x
        if isinstance(x, float):
            return self.const(x)
        if isinstance(x, np.ndarray):
            return self.constant(x if x.dtype != np.float64 else x.astype(np.float32))
        raise AssertionError(f"operand {x!r}: use op.const or op.ints")

    def constant(self, array: Array) -> Value:
        key = (array.dtype.str, array.shape, array.tobytes() if array.size < COMPARED_SIZE else id(array))
        if key not in self.store.constants:
            if array.size > 4:
                label = "x".join(str(n) for n in array.shape)
                wish = self.constant_name.format(layer=self.layer, label=label)
            else:
                wish = f"{array.dtype.name}:{_numbers(array)}"
            self.store.constants[key] = Value(self.store.name(wish), array.shape, array)
        return self.store.constants[key]


def _numbers(array: Array) -> str:
    shown = ",".join(f"{v:.9g}" if array.dtype.kind == "f" else str(v) for v in array.ravel().tolist()) or "empty"
    if array.ndim == 0:
        return shown
    return f"[{shown}]" if array.ndim == 1 else f"[{shown}]{'x'.join(map(str, array.shape))}"
