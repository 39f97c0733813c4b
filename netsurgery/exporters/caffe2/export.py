"""Net -> Caffe2: a net that computes, and one that fills in its parameters.

data -> conv1 -> pool1 -> prob      becomes     init_net.pb      GivenTensorFill -> conv1_w, conv1_b
                                                predict_net.pb   data, conv1_w, conv1_b -> Conv -> MaxPool -> Softmax -> prob
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..._proto.caffe2 import new
from ...errors import NetsurgeryError, Source, UnsupportedError, UnsupportedLayersError
from ...files.output import replacing
from ...formats.netdef.groups import FREE, SHAPE
from ...interpreter import check_weights
from ...layers.core.dims import Axis, Size, known
from ...layers.core.infer import Inferred, Pin, infer
from ...net import Net
from ...passes.cut import cut
from ...passes.drop_identities import drop_identities
from ...passes.fold_scale import fold_scale
from ..inputs import fixed_sizes
from .graph import Array, Blob, NetBuilder, Operator, SizeNeededError
from .init_net import fills, init_bytes, write_init
from .layers import tell_layers

MAX_BYTES = 2**31 - 1
"""What protobuf, and with it Caffe2, reads from a file."""


ONE_SIZE = "Caffe2's operators for it are written for one size"


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
        with ExitStack() as stack:
            init, predict, text = (
                stack.enter_context(replacing(folder / name))
                for name in ("init_net.pb", "predict_net.pb", "predict_net.pbtxt")
            )
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
    net.require_supported("exported")
    wanted = tuple(outputs) if outputs is not None else net.outputs
    if not wanted:
        raise NetsurgeryError("the net has no outputs", source=net.source, fix="name a blob with --output")
    net = drop_identities(cut(net, wanted), wanted)
    fixed = fixed_sizes(net, input_shapes, static)
    inferred = infer(net, fixed)
    for layer in net.layers:
        check_weights(layer, [inferred.shapes[b] for b in layer.bottoms])
    if fold:
        net = fold_scale(net, keep=wanted)
        inferred = infer(net, fixed)
    pins = dict(inferred.pins)
    while True:
        builder = NetBuilder({*net.blobs, *(layer.name for layer in net.layers)})
        try:
            held = _emit(net, wanted, inferred, builder)
        except SizeNeededError as needed:
            if builder.layer is None:
                raise AssertionError("a size was asked for outside of a layer") from None
            fixed, inferred = _with_fixed(net, fixed, needed.axes)
            pins |= {axis: pin for axis, pin in inferred.pins.items() if axis not in pins}
            for axis in sorted(needed.axes):
                size = inferred.shapes[axis[0]][axis[1]]
                pins[axis] = Pin(size if isinstance(size, int) else 0, builder.layer.title, ONE_SIZE)
            continue
        return _assembled(net, wanted, inferred, pins, builder, held)


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
    made = to_caffe2(net, fold=fold, outputs=outputs, input_shapes=input_shapes, static=static)
    made.save(directory)
    return made


def _with_fixed(
    net: Net, fixed: Mapping[str, Sequence[int | None]], axes: frozenset[Axis]
) -> tuple[dict[str, Sequence[int | None]], Inferred]:
    """The same sizes, with those of `axes` fixed as declared."""
    made = dict(fixed)
    declared = net.inputs
    for name, axis in sorted(axes):
        own = declared[name]
        sizes = list(made.get(name) or [None] * len(own or ()))
        if sizes[axis] is None:
            sizes[axis] = own[axis] if own is not None and len(own) == len(sizes) else 1
        made[name] = sizes
    return made, infer(net, made)


def _emit(net: Net, wanted: Sequence[str], inferred: Inferred, op: NetBuilder) -> dict[str, Blob]:
    """The blobs of the net by name. Raises: SizeNeededError, UnsupportedLayersError."""
    held = {name: Blob(name, inferred.shapes[name]) for name in net.inputs}
    named = {id(blob) for blob in held.values()}
    refused: list[NetsurgeryError] = []
    for layer in net.layers:
        if layer.kind.is_input:
            continue
        op.layer = layer
        bottoms = op.bottoms[layer.name] = [held[b] for b in layer.bottoms]
        try:
            tops: list[Any] = list(layer.kind.emit_caffe2(cast("Any", op), cast("Any", bottoms), layer.weights))
        except UnsupportedError as error:  # go on, to name them all
            refused.append(error)
            tops = [Blob(op.name(blob)) for blob in layer.tops]
        if len(tops) < len(layer.tops):
            raise AssertionError(f"{layer.title} emitted {len(tops)} of {len(layer.tops)} tops")
        for name, blob in zip(layer.tops, tops, strict=False):
            if blob.value is not None or id(blob) in named:
                if name not in wanted:  # another name for what is there
                    held[name] = blob
                    continue
                blob = op.copy(blob)
            blob.name = name
            named.add(id(blob))
            blob.shape = inferred.shapes[name]
            held[name] = blob
    if refused:
        raise UnsupportedLayersError(refused, "exported to Caffe2")
    return held


def _assembled(
    net: Net,
    wanted: Sequence[str],
    inferred: Inferred,
    pins: Mapping[Axis, Pin],
    op: NetBuilder,
    held: Mapping[str, Blob],
) -> Caffe2Net:
    operators = _live(op.operators, [held[b] for b in wanted])
    read = {id(x): x for operator in operators for x in operator.inputs}
    parameters = {x.name: x.value for x in read.values() if x.value is not None}
    predict = new("NetDef")
    predict.name, predict.type = net.name or "net", "simple"
    for operator in operators:
        _add_operator(predict, operator)
    inputs = {name: inferred.shapes[name] for name in net.inputs}
    declared = net.inputs
    for name, sizes in inputs.items():
        own = declared[name]
        shown = [
            n if isinstance(n, int) else own[i] if own and len(own) == len(sizes) else 1 for i, n in enumerate(sizes)
        ]
        predict.arg.add(name=f"{SHAPE}{name}", ints=shown)
        if not known(sizes):
            predict.arg.add(name=f"{FREE}{name}", ints=[i for i, n in enumerate(sizes) if not isinstance(n, int)])
    parameters |= tell_layers(predict, net, op.bottoms, operators, parameters)
    predict.external_input.extend([*inputs, *parameters])
    predict.external_output.extend(wanted)
    return Caffe2Net(predict, parameters, inputs, pins, predict.name)


def _live(operators: Sequence[Operator], wanted: Sequence[Blob]) -> list[Operator]:
    """The operators that are needed for `wanted`."""
    needed = {id(x) for x in wanted}
    kept = []
    for operator in reversed(operators):
        if any(id(x) in needed for x in operator.outputs):
            needed.update(id(x) for x in operator.inputs)
            kept.append(operator)
    return kept[::-1]


def _name(operator: Operator) -> str:
    """The layer's name; none where Caffe2 would take it for a reason to ask for a kernel: that of an operator whose name begins with
    Conv, or holds Pool, must not be 0, as it is for padding and for pooling of the whole map."""
    whole = operator.type == "PadImage" or "global_pooling" in operator.arguments
    return "" if whole and (operator.layer.startswith("Conv") or "Pool" in operator.layer) else operator.layer


def _add_operator(net: Any, operator: Operator) -> None:
    proto = net.op.add(type=operator.type)
    if name := _name(operator):
        proto.name = name
    proto.input.extend(x.name for x in operator.inputs)
    proto.output.extend(x.name for x in operator.outputs)
    for name, value in sorted(operator.arguments.items()):
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
