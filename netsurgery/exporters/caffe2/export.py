"""Net -> Caffe2: a net that computes, and one that fills in its parameters.

data -> conv1 -> pool1 -> prob      becomes     init_net.pb      GivenTensorFill -> conv1_w, conv1_b
                                                predict_net.pb   data, conv1_w, conv1_b -> Conv -> MaxPool -> Softmax -> prob
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..._proto.caffe2 import new
from ...errors import NetsurgeryError, Source, UnsupportedError, UnsupportedLayersError
from ...files.output import replacing_all
from ...formats.netdef.groups import FREE, SHAPE
from ...layers.core.dims import Axis, Size, all_numbers
from ...layers.core.infer import Pin
from ...net import Layer, Net, require_net
from ..builder import Array, Operation, Value
from ..form import ModelForm
from ..lower import ONE_SIZE, lower
from .graph import NetBuilder
from .init_net import fills, init_bytes, write_init
from .layers import tell_layers

MAX_BYTES = 2**31 - 1
"""What protobuf, and with it Caffe2, reads from a file."""


@dataclass(frozen=True)
class Caffe2Net:
    """A net for Caffe2: `predict` is the NetDef that computes (a protobuf message, which may be changed), `parameters` are what its
    init net fills in, in order; `pins` say which input axes have one size only, and by which layer."""

    predict: Any
    parameters: Mapping[str, Array]
    inputs: Mapping[str, tuple[Size, ...]]
    pins: Mapping[Axis, Pin]
    name: str = ""

    @cached_property
    def init(self) -> Any:
        """The NetDef that fills the parameters in, as a message in memory. `save` streams it instead."""
        net = new("NetDef")
        net.ParseFromString(b"".join(init_bytes(self.name, self.parameters)))
        return net

    @property
    def text(self) -> str:
        """The net that computes, as text (.pbtxt)."""
        from google.protobuf import text_format

        return str(text_format.MessageToString(self.predict))

    @property
    def fixed(self) -> dict[Axis, Pin]:
        """The pins of axes that the net itself leaves free."""
        return {axis: pin for axis, pin in self.pins.items() if pin.what == ONE_SIZE}

    @property
    def notes(self) -> tuple[str, ...]:
        """Which sizes are fixed though the net itself leaves them free, and by which layer, in words."""
        by_layer: dict[str, list[str]] = {}
        for (name, i), pin in self.fixed.items():
            by_layer.setdefault(pin.layer, []).append(f"axis {i} of {name} at {pin.size}")
        return tuple(
            f"layer {layer} fixes {' and '.join(axes)}: {ONE_SIZE}; --input-shape chooses others"
            for layer, axes in by_layer.items()
        )

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes init_net.pb, predict_net.pb and predict_net.pbtxt, whole or not at all; parameters go straight from the mapped weights
        into the file.

        Raises: UnsupportedError if a file would be over 2 GB, NetsurgeryError if one cannot be written."""
        folder = Path(directory)
        size = sum(
            len(head) + (0 if array is None else 4 * array.size) for head, array in fills(self.name, self.parameters)
        )
        if size > MAX_BYTES:
            raise UnsupportedError(
                f"an init net of {size / 1e9:.1f} GB",
                source=Source(str(folder / "init_net.pb")),
                expected="at most 2 GB: protobuf, and so Caffe2, cannot read more from one file",
                fix="convert to ONNX instead, or cut the net in two (--output)",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            raise NetsurgeryError(
                f"cannot be made: {failure.strerror}", source=Source(str(folder)), expected="a folder that is writable"
            ) from None
        names = ("init_net.pb", "predict_net.pb", "predict_net.pbtxt")
        with replacing_all([folder / name for name in names]) as (init, predict, text):
            write_init(init, self.name, self.parameters)
            predict.write(self.predict.SerializeToString(deterministic=True))
            text.write(self.text.encode())


def to_caffe2(
    net: Net,
    *,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
) -> Caffe2Net:
    """The net for Caffe2, of operators that run on the CPU.

    Sizes of inputs stay free where the operators allow it; where they do not, they are those of `input_shapes` or the declared ones,
    and `pins` says which layer ties them. `static` fixes all. `outputs` names the blobs to give (None: the net's outputs). `fold`
    merges BatchNorm, Scale and Bias into the layer before them.

    Raises: UnsupportedLayersError, which lists every layer that no CPU operator expresses; ShapeError, WeightsError.
    """
    require_net(net)
    return as_caffe2(net, ModelForm(outputs, fold, input_shapes, static))


def save_caffe2(
    net: Net,
    directory: str | os.PathLike[str],
    *,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
) -> Caffe2Net:
    """Writes the net for Caffe2: init_net.pb, predict_net.pb, and the latter as text in predict_net.pbtxt. Options as for `to_caffe2`.

    Raises: what `to_caffe2` raises; UnsupportedError if the init net would be over 2 GB, NetsurgeryError if it cannot be written.
    """
    require_net(net)
    nets = as_caffe2(net, ModelForm(outputs, fold, input_shapes, static))
    nets.save(directory)
    return nets


class Caffe2Target:
    """Layers say operators of Caffe2's by `emit_caffe2`."""

    def builder(self, net: Net) -> NetBuilder:
        return NetBuilder(net)

    def emit(self, layer: Layer, op: Any, bottoms: Sequence[Value]) -> Sequence[Value]:
        return cast("Sequence[Value]", layer.kind.emit_caffe2(op, bottoms, layer.weights))

    def refusal(self, errors: Sequence[NetsurgeryError]) -> NetsurgeryError:
        return UnsupportedLayersError(errors, "exported to Caffe2")


def as_caffe2(net: Net, form: ModelForm) -> Caffe2Net:
    """`to_caffe2`, its options as one value."""
    program = lower(net, Caffe2Target(), form)
    net, operators = program.net, program.operations
    parameters = {x.name: x.value for x in program.constants() if x.value is not None}
    predict = new("NetDef")
    predict.name, predict.type = net.name or "net", "simple"
    for operator in operators:
        _add_operator(predict, operator)
    inputs = {name: program.inferred.shapes[name] for name in net.inputs}
    declared = net.inputs
    for name, sizes in inputs.items():
        own = declared[name]
        shown = [
            n if isinstance(n, int) else own[i] if own and len(own) == len(sizes) else 1 for i, n in enumerate(sizes)
        ]
        predict.arg.add(name=f"{SHAPE}{name}", ints=shown)
        if not all_numbers(sizes):
            predict.arg.add(name=f"{FREE}{name}", ints=[i for i, n in enumerate(sizes) if not isinstance(n, int)])
    parameters |= tell_layers(predict, net, program.bottoms, operators, parameters)
    predict.external_input.extend([*inputs, *parameters])
    predict.external_output.extend(program.outputs)
    return Caffe2Net(predict, parameters, inputs, program.pins, predict.name)


def _name(operator: Operation) -> str:
    """The layer's name; none where Caffe2 would take it for a reason to ask for a kernel: that of an operator whose name begins with
    Conv, or holds Pool, must not be 0, as it is for padding and for pooling of the whole map."""
    whole = operator.type == "PadImage" or "global_pooling" in operator.attributes
    return "" if whole and (operator.layer.startswith("Conv") or "Pool" in operator.layer) else operator.layer


def _add_operator(net: Any, operator: Operation) -> None:
    proto = net.op.add(type=operator.type)
    if name := _name(operator):
        proto.name = name
    proto.input.extend(x.name for x in operator.inputs if x is not None)
    proto.output.extend(x.name for x in operator.outputs)
    for name, value in sorted(operator.attributes.items()):
        argument = proto.arg.add(name=name)
        if isinstance(value, str):
            argument.s = value.encode()
        elif isinstance(value, (bool, int, np.integer)):
            argument.i = int(value)
        elif isinstance(value, (float, np.floating)):
            argument.f = float(value)
        elif all(isinstance(v, (int, np.integer)) for v in value):
            argument.ints.extend(int(v) for v in value)
        else:
            argument.floats.extend(float(v) for v in value)
