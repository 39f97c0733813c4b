"""Net -> the operations of a target, in one visible list of steps that ONNX and Caffe2 share.

data -> conv1 -> bn1 -> scale1 -> drop -> fc -> prob        the net, at its declared sizes
cut              what the outputs do not need goes
drop_identities  Dropout, Split: the layers read what these would hand on
fixed_sizes      which input axes are numbers, which are free
infer            the shape of every blob, in numbers and free sizes
check_weights    every blob has the shape that its layer computes with
fold_scale       bn1 and scale1 become part of conv1
emit             each layer says its operations; constants are computed on the spot
prune            operations that no output needs go
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..errors import NetsurgeryError, UnsupportedError
from ..files.mapped import require_unchanged
from ..files.memory import uncollected
from ..interpreter import check_weights
from ..layers.core.dims import Axis
from ..layers.core.infer import Inferred, Pin, infer
from ..net import Layer, Net
from ..passes.cut import cut
from ..passes.drop_identities import drop_identities
from ..passes.fold_scale import fold_scale
from ..passes.own_names import own_names
from .builder import Builder, Operation, Value
from .form import ModelForm, fixed_sizes


class Target(Protocol):
    """What differs from target to target."""

    def builder(self, net: Net) -> Builder: ...

    def emit(self, layer: Layer, op: Any, bottoms: Sequence[Value]) -> Sequence[Value]:
        """The tops of a layer. Raises: UnsupportedError, SizeNeededError."""

    def refusal(self, errors: Sequence[NetsurgeryError]) -> NetsurgeryError:
        """The error for the layers that cannot be said, to be raised."""


class SizeNeededError(Exception):
    """Layers can only be written for input axes of fixed size: these, each with the first layer that needs it. They are fixed, and all
    is emitted anew."""

    def __init__(self, axes: Mapping[Axis, Layer]) -> None:
        self.axes = axes
        super().__init__(f"input axes {sorted(axes)} must be fixed")


@dataclass(frozen=True)
class Program:
    """A net as the operations of a target: `values` are its blobs by name, `bottoms` what each layer read; `pins` say which input
    axes have one size only, and by which layer."""

    net: Net
    outputs: tuple[str, ...]
    inferred: Inferred
    pins: Mapping[Axis, Pin]
    operations: tuple[Operation, ...]
    values: Mapping[str, Value]
    bottoms: Mapping[str, Sequence[Value]]

    def constants(self) -> list[Value]:
        """The constants that the operations read, each once, in order of first use."""
        return list({id(x): x for one in self.operations for x in one.reads() if x.value is not None}.values())


@uncollected()
def lower(
    net: Net,
    target: Target,
    form: ModelForm,
) -> Program:
    """The net as operations of the target, for the blobs `form.outputs` (None: the net's outputs).

    Raises: UnsupportedError, ShapeError, WeightsError, NetsurgeryError if there is no output.
    """
    net.require_supported("exported")
    require_unchanged(array for layer in net.layers for array in layer.weights)
    ends = _outputs(net, form.outputs)
    net = cut(net, ends)
    net = drop_identities(net, ends)
    fixed = fixed_sizes(net, form.input_shapes, form.static)
    inferred = infer(net, fixed)
    for layer in net.layers:
        check_weights(layer, [inferred.shapes[b] for b in layer.bottoms])
    if form.fold:
        net = fold_scale(net, keep=ends)
    net = own_names(net)
    op, (values, bottoms), inferred, pins = _emit_at_sizes(net, target, ends, fixed, inferred)
    operations = _prune(op.operations, [values[b] for b in ends])
    return Program(net, ends, inferred, pins, operations, values, bottoms)


def _outputs(net: Net, outputs: Sequence[str] | None) -> tuple[str, ...]:
    ends = tuple(outputs) if outputs is not None else net.outputs
    if not ends:
        raise NetsurgeryError("the net has no outputs", source=net.source, fix="name a blob with --output")
    return ends


Emission = tuple[dict[str, Value], dict[str, Sequence[Value]]]
"""The blobs of a net by name, and what each layer read."""


ONE_SIZE = "Caffe2's operators for it are written for one size"


def _emit_at_sizes(
    net: Net,
    target: Target,
    outputs: Sequence[str],
    fixed: Mapping[str, Sequence[int | None]],
    inferred: Inferred,
) -> tuple[Builder, Emission, Inferred, Mapping[Axis, Pin]]:
    """Emits the net; where a layer needs a number for a size, the input axes behind it are fixed as declared, and all begins anew."""
    pins = dict(inferred.pins)
    while True:
        op = target.builder(net)
        try:
            return op, _emit(net, target, outputs, inferred, op), inferred, pins
        except SizeNeededError as needed:
            fixed = _with_fixed(net, fixed, needed.axes)
            inferred = infer(net, fixed)
            pins |= {axis: pin for axis, pin in inferred.pins.items() if axis not in pins}
            for blob, axis in sorted(needed.axes):
                size, layer = inferred.shapes[blob][axis], needed.axes[blob, axis]
                pins[blob, axis] = Pin(size if isinstance(size, int) else 0, layer.title, ONE_SIZE)


def _with_fixed(
    net: Net, fixed: Mapping[str, Sequence[int | None]], axes: Iterable[Axis]
) -> dict[str, Sequence[int | None]]:
    """The same sizes, with those of `axes` fixed as declared."""
    result = dict(fixed)
    declared = net.inputs
    for name, axis in sorted(axes):
        own = declared[name]
        sizes = list(result.get(name) or [None] * len(own or ()))
        if sizes[axis] is None:
            sizes[axis] = own[axis] if own is not None and len(own) == len(sizes) else 1
        result[name] = sizes
    return result


def _emit(net: Net, target: Target, outputs: Sequence[str], inferred: Inferred, op: Builder) -> Emission:
    """The blobs of the net. Raises: SizeNeededError, and the target's refusal of every layer that it cannot say."""
    values = {name: Value(name, inferred.shapes[name]) for name in net.inputs}
    named, ends = {id(value) for value in values.values()}, set(outputs)
    read: dict[str, Sequence[Value]] = {}
    refused: list[NetsurgeryError] = []
    needed: dict[Axis, Layer] = {}
    for layer in net.layers:
        if layer.kind.is_input:
            continue
        op.layer = layer.name
        bottoms = read[layer.name] = [values[b] for b in layer.bottoms]
        try:
            tops = list(target.emit(layer, op, bottoms))
        except UnsupportedError as error:  # go on, to name them all
            refused.append(error)
            tops = [Value(op.store.name(blob)) for blob in layer.tops]
        except SizeNeededError as error:  # likewise
            needed |= {axis: layer for axis in error.axes if axis not in needed}
            tops = [Value(op.store.name(blob)) for blob in layer.tops]
        if len(tops) < len(layer.tops):
            raise AssertionError(f"{layer.title} emitted {len(tops)} of {len(layer.tops)} tops")
        for blob, top in zip(layer.tops, tops, strict=False):
            if top.value is not None or id(top) in named:
                if blob not in ends:  # another name for what has one
                    values[blob] = top
                    continue
                top = op.copy(top)
            top.name = blob
            named.add(id(top))
            top.shape = inferred.shapes[blob]
            values[blob] = top
    if needed:
        raise SizeNeededError(needed)
    if refused:
        raise target.refusal(refused)
    return values, read


def _prune(operations: Sequence[Operation], outputs: Sequence[Value]) -> tuple[Operation, ...]:
    """The operations that are needed for the outputs."""
    needed = {id(x) for x in outputs}
    live = []
    for operation in reversed(operations):
        if any(id(x) in needed for x in operation.outputs):
            needed.update(id(x) for x in operation.reads())
            live.append(operation)
    return tuple(live[::-1])
