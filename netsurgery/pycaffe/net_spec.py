"""caffe.NetSpec, layers, params and to_proto: nets written in Python.

`layers.Convolution(bottom, kernel_size=3)` gives a Top, `params.Pooling.MAX` a constant, and NetSpec names the tops
that are set as its attributes. Names that are made up are the type and a running number.

Source: BVLC Caffe, python/caffe/net_spec.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from .proto import caffe_pb2

_FIRST_FORK_NUMBER = 20000

Names = dict["Top | Function", str]
Messages = dict["Function", Any]


@cache
def param_name_dict() -> dict[str, str]:
    """What a layer type's parameters are called in LayerParameter without `_param`: {"InnerProduct": "inner_product"}.

    Where a fork has a second field of a BVLC message, BVLC's counts.
    """
    fields = [f for f in caffe_pb2.LayerParameter.DESCRIPTOR.fields if f.name.endswith("_param") and f.message_type]
    fields.sort(key=lambda f: f.number >= _FIRST_FORK_NUMBER)
    names: dict[str, str] = {}
    for field in fields:
        names.setdefault(field.message_type.name.removesuffix("Parameter"), field.name.removesuffix("_param"))
    return names


def to_proto(*tops: Top) -> Any:
    """A NetParameter with all layers that compute these tops."""
    messages: Messages = {}
    autonames: Counter[str] = Counter()
    for top in tops:
        # each top with names of its own, as in Caffe: only the counters go on
        top.fn._to_proto(messages, {}, autonames)
    return caffe_pb2.NetParameter(layer=messages.values())


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Sets a field from Python: dicts are messages, lists repeated fields, and one value will do for a repeated field.

    Raises: AttributeError for a field that the message does not have; TypeError, ValueError for a value of another type.
    """
    field = getattr(proto, name)
    if hasattr(field, "extend") and not isinstance(val, list):
        val = [val]
    if isinstance(val, list):
        if isinstance(val[0], dict):
            for item in val:
                _assign_all(field.add(), item)
        else:
            field.extend(val)
    elif isinstance(val, dict):
        _assign_all(field, val)
    else:
        setattr(proto, name, val)


def _assign_all(proto: Any, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        assign_proto(proto, key, value)


class Top:
    """One output of a layer: the n-th of fn."""

    def __init__(self, fn: Function, n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """A NetParameter with all layers that compute this top."""
        return to_proto(self)

    def _to_proto(self, layers: Messages, names: Names, autonames: Counter[str]) -> None:
        self.fn._to_proto(layers, names, autonames)


class Function:
    """A layer: its type, its bottoms (tops of other layers) and its parameters; `ntop` and `in_place` are taken out."""

    def __init__(self, type_name: str, inputs: tuple[Top, ...], params: dict[str, Any]) -> None:
        for index, bottom in enumerate(inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(bottom)})")
        self.type_name = type_name
        self.inputs = inputs
        self.params = params
        self.ntop: int = params.pop("ntop", 1)
        self.in_place: bool = params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))

    def _name(self, key: Top | Function, names: Names, autonames: Counter[str]) -> str:
        if key not in names:
            autonames[self.type_name] += 1
            names[key] = f"{self.type_name}{autonames[self.type_name]}"
        return names[key]

    def _to_proto(self, layers: Messages, names: Names, autonames: Counter[str]) -> None:
        if self in layers:
            return
        bottoms = []
        for top in self.inputs:
            top._to_proto(layers, names, autonames)
            bottoms.append(layers[top.fn].top[top.n])
        tops = bottoms if self.in_place else [self._name(top, names, autonames) for top in self.tops]
        if self not in names:
            names[self] = self._name(self.tops[0] if self.tops else self, names, autonames)
        layer = caffe_pb2.LayerParameter(name=names[self], type=self.type_name, bottom=bottoms, top=tops)
        for key, value in self.params.items():
            self._assign(layer, key, value)
        layers[self] = layer

    def _assign(self, layer: Any, key: str, value: Any) -> None:
        """Whole messages go by their field, other names are first looked up among the type's own parameters."""
        if not key.endswith("param"):
            try:
                assign_proto(getattr(layer, param_name_dict()[self.type_name] + "_param"), key, value)
                return
            except (AttributeError, KeyError):
                pass
        assign_proto(layer, key, value)


class NetSpec:
    """A net in the making: tops that are set as attributes, or as items, get these names."""

    tops: dict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", {})

    def __setattr__(self, name: str, value: Top | Function) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.tops[name]

    def __setitem__(self, key: str, value: Top | Function) -> None:
        self.tops[key] = value

    def __getitem__(self, item: str) -> Any:
        return self.tops[item]

    def to_proto(self) -> Any:
        """A NetParameter with all layers that compute what was set, by the names that were set."""
        names: Names = {top: name for name, top in self.tops.items()}
        messages: Messages = {}
        autonames: Counter[str] = Counter()
        for top in self.tops.values():
            top._to_proto(messages, names, autonames)
        return caffe_pb2.NetParameter(layer=messages.values())


class Layers:
    """`layers`: an attribute for each layer type, whatever its name."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer_fn(*args: Top, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            return fn if fn.ntop == 0 else fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer_fn


class _Constants:
    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(caffe_pb2, self._message), name)


class Parameters:
    """`params`: `params.Pooling.MAX` is the value of that enum in PoolingParameter."""

    def __getattr__(self, name: str) -> _Constants:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Constants(f"{name}Parameter")


layers = Layers()
params = Parameters()
