"""The NetDef under construction: what the layers' `emit_caffe2` is handed (layers/caffe2/operators.py: Operators)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...layers.core.dims import Axis, Shape, Size
from ...net import Layer

Array = NDArray[Any]

HIDDEN = {"Reshape": ("old_shape",), "Concat": ("split_info",)}
"""Outputs that operators must have behind the one that is used."""

FOLDED_SIZE = 1 << 20
"""Constants are computed on the spot up to so many values."""


@dataclass(eq=False)
class Blob:
    """A value in the net. `value` holds the numbers of a constant."""

    name: str
    shape: Any = None
    value: Array | None = None


@dataclass(eq=False)
class Operator:
    type: str
    inputs: list[Blob]
    outputs: list[Blob]
    arguments: Mapping[str, Any]
    layer: str


class SizeNeededError(Exception):
    """A layer can only be written for input axes of fixed size: these. Caught by the exporter, which fixes them and starts anew."""

    def __init__(self, axes: frozenset[Axis]) -> None:
        self.axes = axes
        super().__init__(f"input axes {sorted(axes)} must be fixed")


@dataclass
class NetBuilder:
    """Appends operators for one layer after another. Implements layers/caffe2/operators.py's Operators."""

    names: set[str]
    layer: Layer | None = None
    operators: list[Operator] = field(default_factory=list)
    constants: dict[tuple[Any, ...], Blob] = field(default_factory=dict)
    weights: dict[tuple[Any, ...], Blob] = field(default_factory=dict)
    sizes: dict[tuple[int, int], Blob] = field(default_factory=dict)
    bottoms: dict[str, list[Blob]] = field(default_factory=dict)
    """What each layer read."""

    def __call__(self, type: str, /, *inputs: Any, shape: Shape | None = None, **arguments: Any) -> Blob:
        (output,) = self._operator(1, type, inputs, arguments)
        if shape is not None and output.value is None:
            output.shape = shape
        return output

    def many(self, outputs: int, type: str, /, *inputs: Any, **arguments: Any) -> tuple[Blob, ...]:
        return tuple(self._operator(outputs, type, inputs, arguments))

    def weight(self, array: Array, name: str) -> Blob:
        key = (array.__array_interface__["data"][0], array.shape, array.strides)
        if array.size == 0 or key not in self.weights:
            self.weights[key] = Blob(self.name(f"{self._layer_name}_{name}"), array.shape, array)
        return self.weights[key]

    def const(self, value: Any, dtype: str = "float32") -> Blob:
        return self._constant(np.asarray(value, dtype))

    def size(self, x: Blob, axis: int) -> Blob:
        sizes = x.shape if x.shape is not None else x.value.shape if x.value is not None else None
        if sizes is not None and isinstance(n := sizes[axis], int):
            return self.ints(n)
        if axis < 0:
            if sizes is None:
                raise AssertionError("the size of an axis counted from the end, of a blob of unknown rank")
            axis += len(sizes)
        key = (id(x), axis)
        if key not in self.sizes:
            self.sizes[key] = self("Shape", x, axes=(axis,), shape=(1,))
        return self.sizes[key]

    def ints(self, *parts: Any) -> Blob:
        merged: list[Blob | list[int]] = []
        for part in parts:
            if isinstance(part, Blob) and part.value is None:
                merged.append(part)
                continue
            numbers = [int(n) for n in np.ravel(part.value if isinstance(part, Blob) else part)]  # type: ignore[arg-type]
            if merged and isinstance(merged[-1], list):
                merged[-1].extend(numbers)
            else:
                merged.append(numbers)
        blobs = [self.const(part, "int64") if isinstance(part, list) else part for part in merged if part != []]
        if not blobs:
            return self.const([], "int64")
        return blobs[0] if len(blobs) == 1 else self("Concat", *blobs, axis=0)

    def reshape(self, x: Blob, *parts: Any, shape: Shape | None = None) -> Blob:
        wanted = self.ints(*parts)
        known = x.value is None and wanted.value is not None
        arguments = {"shape": tuple(wanted.value.tolist())} if known and wanted.value is not None else {}
        (output,) = self._operator(1, "Reshape", [x] if known else [x, wanted], arguments)
        if shape is not None and output.value is None:
            output.shape = shape
        return output

    def number(self, size: Size) -> int:
        if isinstance(size, int):
            return size
        if size.by_data:
            raise UnsupportedError(
                "has no form in Caffe2: its operators would have to be written for a size that the data decide",
                layer=self.layer.title if self.layer else "",
                source=self.layer.source if self.layer else None,
                fix="cut the net before this layer (--output), and do the rest in your own code",
            )
        raise SizeNeededError(size.axes)

    def name(self, wish: str) -> str:
        """`wish`, or with a number behind it if that is taken."""
        name, n = wish, 1
        while name in self.names:
            n += 1
            name = f"{wish}_{n}"
        self.names.add(name)
        return name

    def copy(self, x: Blob) -> Blob:
        """x once more, under a name of its own."""
        output = Blob(self.name(f"{self._layer_name}/Copy"), x.shape)
        self.operators.append(Operator("Copy", [x], [output], {}, self._layer_name))
        return output

    @property
    def _layer_name(self) -> str:
        return self.layer.name if self.layer is not None else "net"

    def _operator(self, count: int, type: str, inputs: Sequence[Any], arguments: Mapping[str, Any]) -> list[Blob]:
        blobs = [self._operand(x) for x in inputs]
        arguments = {name: value for name, value in arguments.items() if value is not None}
        values = [x.value for x in blobs if x.value is not None]
        if count == 1 and blobs and len(values) == len(blobs) and all(v.size <= FOLDED_SIZE for v in values):
            folded = _fold(type, values, arguments)
            if folded is not None and folded.size <= FOLDED_SIZE:
                return [self._constant(folded)]
        if type == "Split" and values and "split" in arguments:
            ends = np.cumsum(arguments["split"])[:-1]
            return [self._constant(part) for part in np.split(values[0], ends, axis=arguments["axis"])]
        hidden = HIDDEN.get(type, ())
        name = self.name(f"{self._layer_name}/{type}")
        outputs = [Blob(name if i == 0 else self.name(f"{name}:{i}")) for i in range(count)]
        extra = [Blob(self.name(f"{name}:{what}")) for what in hidden]
        self.operators.append(Operator(type, blobs, outputs + extra, arguments, self._layer_name))
        return outputs

    def _operand(self, x: Any) -> Blob:
        if isinstance(x, Blob):
            return x
        if isinstance(x, float):
            return self.const(x)
        if isinstance(x, np.ndarray):
            return self._constant(x if x.dtype != np.float64 else x.astype(np.float32))
        raise AssertionError(f"operand {x!r}: use op.const or op.ints")

    def _constant(self, array: Array) -> Blob:
        key = (array.dtype.str, array.shape, array.tobytes() if array.size < 1 << 16 else id(array))
        if key not in self.constants:
            label = "x".join(str(n) for n in array.shape) or "scalar"
            wish = f"{array.dtype.name}:{_numbers(array)}" if array.size <= 4 else f"{self._layer_name}_const_{label}"
            self.constants[key] = Blob(self.name(wish), array.shape, array)
        return self.constants[key]


def _numbers(array: Array) -> str:
    shown = ",".join(f"{v:.9g}" if array.dtype.kind == "f" else str(v) for v in array.ravel().tolist()) or "empty"
    return (
        shown if array.ndim == 0 else f"[{shown}]" if array.ndim == 1 else f"[{shown}]{'x'.join(map(str, array.shape))}"
    )


def _divide(a: Array, b: Array) -> Array:
    return a // b if a.dtype.kind == "i" else a / b  # only sizes are whole numbers here, and they are not negative


_ARITHMETIC: dict[str, Callable[..., Array]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": _divide,
    "Negative": np.negative,
    "Max": lambda *x: reduce(np.maximum, x),
    "Min": lambda *x: reduce(np.minimum, x),
    "Exp": np.exp,
    "Floor": np.floor,
    "Range": lambda *x: np.arange(*(int(v.reshape(())) for v in x)),
    "Expand": lambda x, shape: np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))),
}
_TYPES = {1: np.float32, 5: np.bool_, 10: np.int64}


def _fold(type: str, values: list[Array], arguments: Mapping[str, Any]) -> Array | None:
    """The output of an operator on constants; None for what stays an operator."""
    if type in _ARITHMETIC and not arguments:
        result = np.asarray(_ARITHMETIC[type](*values))
        return result.astype(values[0].dtype, copy=False)
    if type == "Concat":
        return np.concatenate(values, axis=arguments["axis"])
    if type == "Reshape":
        wanted = values[1].tolist()
        return values[0].reshape([values[0].shape[i] if n == 0 else int(n) for i, n in enumerate(wanted)])
    if type == "Transpose":
        return np.ascontiguousarray(values[0].transpose(arguments["axes"]))
    if type == "Cast":
        return values[0].astype(_TYPES[arguments["to"]])
    if type == "ExpandDims":
        return np.expand_dims(values[0], arguments["dims"])
    if type == "Slice" and len(values) == 1:
        starts, ends = arguments["starts"], arguments["ends"]
        cut = [slice(a, b + n + 1 if b < 0 else b) for a, b, n in zip(starts, ends, values[0].shape, strict=True)]
        return np.ascontiguousarray(values[0][tuple(cut)])
    if type == "Clip":
        return values[0].clip(arguments["min"], arguments["max"])
    if type == "ConstantFill" and arguments.get("input_as_shape"):
        return np.full(tuple(values[0].tolist()), arguments["value"], np.float32)
    return None
