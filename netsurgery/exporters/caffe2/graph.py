"""The builder of Caffe2's NetDefs: operators, and those on constants computed on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ...errors import UnsupportedError
from ...layers.core.dims import Shape, Size
from ...net import Layer, Net
from ..builder import Array, Builder, Store, Value
from ..lower import SizeNeededError

HIDDEN = {"Reshape": ("old_shape",), "Concat": ("split_info",)}
"""Outputs that operators must have behind the one that is used."""


TYPES = {
    **{same: same for same in ("Abs", "Add", "Concat", "Conv", "Div", "Elu", "Exp", "Expand", "Gather", "LeakyRelu")},
    **{same: same for same in ("Log", "Mul", "ReduceMax", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Selu")},
    **{same: same for same in ("Shape", "Sigmoid", "Sqr", "Sqrt", "Sub", "Tanh", "Transpose")},
    "Cast": "Cast",
    "Clip": "Clip",
    "Greater": "GT",
    "Neg": "Negative",
}
"""Operators of ONNX to those of Caffe2 that do the same, broadcasting included. Max, Min, Sum, Pow and Where do not: Caffe2's take
equal shapes only."""
ATTRIBUTES = {
    ("Conv", "kernel_shape"): "kernels",
    ("Selu", "gamma"): "scale",
    ("Transpose", "perm"): "axes",
}
ELEMENTS = {1: 1, 7: 10, 9: 5}
"""Element types: float32, int64, bool."""
NEUTRAL = {"strides": 1, "pads": 0, "dilations": 1, "group": 1}
"""What goes without saying of a Conv, along each axis."""
WEIGHTS = {"weight": "w", "bias": "b", "scale": "w"}
"""What Caffe2's own models call them."""


class NetBuilder(Builder):
    """Appends operators of Caffe2. Implements layers' Op."""

    copy_type = "Copy"
    weight_name = "{layer}_{name}"
    constant_name = "{layer}_const_{label}"
    views = frozenset({"Split"})

    def __init__(self, net: Net) -> None:
        super().__init__(Store({*net.blobs, *(layer.name for layer in net.layers)}))
        self.net = net

    def in_onnx_words(self) -> NetBuilder:
        return OnnxWords(self)

    def extra_outputs(self, type: str) -> Sequence[str]:
        return HIDDEN.get(type, ())

    def shape_of(self, x: Value, axis: int) -> Value:
        if axis < 0:
            raise AssertionError("the size of an axis counted from the end, of a blob of unknown rank")
        return self("Shape", x, axes=(axis,), shape=(1,))

    def reshape(self, x: Value, *parts: Any, shape: Shape | None = None) -> Value:
        sizes = self.ints(*parts)
        if x.value is None and sizes.value is not None:
            (output,) = self.append(1, "Reshape", [x], {"shape": tuple(sizes.value.tolist())})
            output.shape = shape
            return output
        return self("Reshape", x, sizes, shape=shape)

    def square(self, x: Value) -> Value:
        return self("Sqr", x, shape=x.shape)

    def number(self, size: Size) -> int:
        if isinstance(size, int):
            return size
        layer: Layer = self.net[self.layer]
        if size.by_data:
            raise UnsupportedError(
                "has no form in Caffe2: its operators would have to be written for a size that the data decide",
                layer=layer,
                fix="cut the net before this layer (--output), and do the rest in your own code",
            )
        raise SizeNeededError(dict.fromkeys(size.axes, layer))

    def fold(self, type: str, values: list[Array], attributes: Mapping[str, Any], count: int) -> Sequence[Array] | None:
        if type == "Split" and "split" in attributes:
            return np.split(values[0], np.cumsum(attributes["split"])[:-1], axis=attributes["axis"])
        result = _one(type, values, attributes) if count == 1 else None
        return None if result is None else [result]


class OnnxWords(NetBuilder):
    """Appends to the program of another builder in ONNX's words: what the `emit` of a layer that says nothing else for Caffe2 is handed."""

    plain = True
    opset = 18
    """That of the words."""

    def __init__(self, builder: NetBuilder) -> None:
        self.store, self.operations, self.layer, self.net = (
            builder.store,
            builder.operations,
            builder.layer,
            builder.net,
        )

    def weight(self, array: Array, name: str) -> Value:
        return super().weight(array, WEIGHTS.get(name, name))

    def append(
        self, count: int, type: str, inputs: Sequence[Any], attributes: Mapping[str, Any], domain: str = ""
    ) -> list[Value]:
        if type not in TYPES or domain:
            layer = self.net[self.layer]
            raise UnsupportedError(
                f"has no form in Caffe2: its class has no emit_caffe2, and netsurgery has no word of Caffe2's for {type}",
                layer=layer,
                fix="write emit_caffe2 if Caffe2 has it; or cut the net before this layer (--output), and do the rest in your own code",
            )
        attributes = {ATTRIBUTES.get((type, name), name): value for name, value in attributes.items()}
        if type == "Cast":
            attributes = {"to": ELEMENTS[attributes["to"]]}
        if type == "Conv":
            inputs = [x for x in inputs if x is not None]
            attributes = {name: v for name, v in attributes.items() if set(np.atleast_1d(v)) != {NEUTRAL.get(name)}}
        if type.startswith("Reduce") and len(inputs) == 2:  # without axes both take all
            inputs, attributes = inputs[:1], attributes | {"axes": tuple(inputs[1].value.tolist())}
        if type == "Clip":
            low, high = (self._number(x) for x in (*inputs[1:], None, None)[:2])
            inputs, attributes = inputs[:1], {"min": low, "max": high}
        return super().append(count, TYPES[type], inputs, attributes)

    def _number(self, x: Any) -> float | None:
        """A bound that is constant."""
        bound = self.operand(x)
        return None if bound is None or bound.value is None else float(bound.value)


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


def _one(type: str, values: list[Array], arguments: Mapping[str, Any]) -> Array | None:
    """The output of an operator on constants; None for what stays an operator."""
    if type in _ARITHMETIC and not arguments:
        result = np.asarray(_ARITHMETIC[type](*values))
        return result.astype(values[0].dtype, copy=False)
    if type == "Concat":
        return np.concatenate(values, axis=arguments["axis"])
    if type == "Reshape":
        sizes = values[1].tolist()
        return values[0].reshape([values[0].shape[i] if n == 0 else int(n) for i, n in enumerate(sizes)])
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
