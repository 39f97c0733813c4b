"""The layers of a Net under construction from a NetDef: what operators are handed (operators.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ShapeError, Source, UnsupportedError
from ...layers.core.dims import Shape, all_numbers, numbers
from ...message import quote, write_float
from ...net import Layer, Net

Array = NDArray[Any]

IGNORED = frozenset(
    {
        *("order", "engine", "exhaustive_search", "cudnn_exhaustive_search", "deterministic", "ws_nbytes_limit"),
        *("shared_buffer", "use_cudnn", "init_params", "cudnn_state", "float16_compute", "algo", "momentum"),
        *("convolution_transform_strategy", "disable_threads", "net_position"),
    }
)
"""Arguments that choose an implementation or steer training. (`order` is looked at before.)"""


@dataclass
class Op:
    """An operator of a NetDef; arguments that nobody asks for are refused."""

    type: str
    name: str
    inputs: list[str]
    outputs: list[str]
    arguments: Mapping[str, Any]
    source: Source
    asked: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        return f"'{self.name}' ({self.type})"

    def has(self, name: str) -> bool:
        self.asked.add(name)
        return name in self.arguments

    def get_int(self, name: str, default: int = 0) -> int:
        value = self._argument(name)
        if value is None:
            return default
        return int(value.i) if value.HasField("i") else int(value.f)

    def get_float(self, name: str, default: float = 0.0) -> float:
        value = self._argument(name)
        if value is None:
            return default
        return float(value.f) if value.HasField("f") else float(value.i)

    def get_str(self, name: str, default: str = "") -> str:
        value = self._argument(name)
        return default if value is None else bytes(value.s).decode("utf-8", "replace")

    def get_ints(self, name: str) -> tuple[int, ...]:
        value = self._argument(name)
        return () if value is None else tuple(value.ints)

    def get_floats(self, name: str) -> tuple[float, ...]:
        value = self._argument(name)
        return () if value is None else tuple(float(x) for x in value.floats or value.ints)

    def refuse(self, problem: str, *, expected: str = "", fix: str = "") -> UnsupportedError:
        """The error that refuses the operator, to be raised."""
        return UnsupportedError(f"no layer of Caffe's says this: {problem}", layer=self, expected=expected, fix=fix)

    def check_all_asked(self) -> None:
        """Raises: UnsupportedError for an argument that was not asked for."""
        left = [name for name in self.arguments if name not in self.asked and name not in IGNORED]
        if left:
            raise UnsupportedError(
                f"argument '{left[0]}' is not known",
                layer=self,
                expected="arguments that are known",
                fix="remove it, if it does not change what the operator computes",
            )

    def _argument(self, name: str) -> Any:
        self.asked.add(name)
        return self.arguments.get(name)


@dataclass
class Importer:
    """The layers so far, with the shapes of their blobs at the sizes that the inputs were given."""

    fills: dict[str, Array]
    source: Source
    layer_of: Callable[[str, Source, Sequence[Array]], Layer]
    """The layer that a prototxt text describes, with its blobs."""
    shapes: dict[str, Shape] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pending: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    """Padded images that wait for the average that takes the padding in: the image, and how much on each side."""
    _names: set[str] = field(default_factory=set)

    def add(
        self,
        op: Op,
        type: str,
        bottoms: Sequence[str],
        tops: Sequence[str],
        params: str = "",
        weights: Sequence[Array] = (),
        name: str = "",
    ) -> None:
        """A layer, its parameters as prototxt text."""
        name = self._unique(name or op.name)
        wiring = " ".join([*(f"bottom: {quote(b)}" for b in bottoms), *(f"top: {quote(t)}" for t in tops)])
        text = f"layer {{ name: {quote(name)} type: {quote(type)} {wiring} {params} }}"
        self.take(self.layer_of(text, self.source, weights))

    def become(self, op: Op, type: str, params: str = "", weights: Sequence[Array] = ()) -> None:
        """A layer of the operator's first input and output."""
        self.add(op, type, [self.blob(op, op.inputs[0])], op.outputs[:1], params, weights)

    def take(self, layer: Layer) -> None:
        """A layer, whose bottoms are there; its tops get their shapes. Raises: UnsupportedError, ShapeError."""
        self._names.add(layer.name)
        if layer.kind.is_input:
            self.shapes.update(
                (top, shape or ()) for top, shape in zip(layer.tops, layer.kind.declared(len(layer.tops)), strict=True)
            )
        else:
            tops = Net.layer_shapes(layer, [self.shapes[b] for b in layer.bottoms])
            self.shapes.update(zip(layer.tops, map(tuple, tops), strict=True))
        self.layers.append(layer)

    def blob(self, op: Op, name: str) -> str:
        """A bottom: a blob that a layer writes, or a parameter, which a Parameter layer then gives."""
        if name in self.pending:
            raise op.refuse(f"it reads '{name}', an image with padding", expected="an AveragePool as its reader")
        if name not in self.shapes:
            if name not in self.fills:
                raise ShapeError(
                    f"input '{name}' is not there",
                    layer=op.title,
                    source=self.source,
                    expected="a blob that an operator before it writes, the init net fills in, or an external input",
                )
            array = np.asarray(self.fills[name], np.float32)
            dims = " ".join(f"dim: {n}" for n in array.shape)
            self.add(op, "Parameter", [], [name], f"parameter_param {{ shape {{ {dims} }} }}", [array], name=name)
        return name

    def parameter(self, op: Op, index: int) -> Array:
        """An input that must be a parameter. Raises: UnsupportedError."""
        name = op.inputs[index]
        if name not in self.fills:
            raise op.refuse(f"input {index}, '{name}', is computed", expected="a parameter that the init net fills in")
        return self.fills[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Raises: UnsupportedError for a size that the data decide."""
        if name in self.fills and name not in self.shapes:
            return tuple(self.fills[name].shape)
        shape = self.shapes[name]
        if not all_numbers(shape):
            raise UnsupportedError(
                f"the data decide the shape of '{name}'",
                source=self.source,
                expected="a shape that is the same for all data: Caffe's layer is written for it",
                fix="cut the NetDef before the operator that reads it",
            )
        return numbers(shape)

    def inner(self, op: Op, what: str) -> str:
        """The name of a blob between the layers of one operator."""
        return f"{op.outputs[0]}/{what}"

    def _unique(self, wish: str) -> str:
        name, n = wish, 1
        while name in self._names:
            n += 1
            name = f"{wish}_{n}"
        return name


def number(value: float) -> str:
    return write_float(value)


def repeated(name: str, values: Sequence[int]) -> str:
    """`name: 3`, once where all are alike."""
    return " ".join(f"{name}: {v}" for v in (values[:1] if len(set(values)) == 1 else values))


def insert(axis: int, count: int = 1) -> str:
    """Parameters of the Reshape that puts axes of size 1 in."""
    return f"reshape_param {{ axis: {axis} num_axes: 0 shape {{ {' '.join(['dim: 1'] * count)} }} }}"
