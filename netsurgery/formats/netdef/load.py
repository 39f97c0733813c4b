"""NetDefs of Caffe2 -> Net.

    init_net.pb      GivenTensorFill -> conv1_w, conv1_b                          conv1 (Convolution) with its blobs
    predict_net.pb   data, conv1_w, conv1_b -> Conv -> conv1 -> Relu -> conv1     data -> conv1 -> relu1 -> conv1

What several operators do together is one layer where netsurgery wrote them: it leaves the layer's text in the net (groups.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...aliases import InputShapes, StrPath
from ...errors import ParseError, ShapeError, Source, UnsupportedError, UnsupportedLayersError
from ...files.boundary import reading
from ...layers.core.dims import numbers
from ...message import quote
from ...naming import free
from ...net import Layer, Net, Origin
from ..layer_text import layer as layer_from_text
from .groups import SHAPE, Group, groups
from .operators import MISNOMERS, OPERATORS
from .reader import Array, Importer, Op
from .wire import EXPECTED, FILLS, fill, read_fills, read_netdef

DECIDED = frozenset([*FILLS, "ConstantFill"])
MISFIT = "its inputs or arguments are not those of such an operator"
SCHEMA = "an operator as Caffe2's schema has it"


def load_netdef(first: StrPath, second: StrPath | None, input_shapes: InputShapes | None = None) -> Net:
    """The Net that an init and a predict net are, in either order. Inputs are the external inputs that the init net does not fill in,
    and those that `input_shapes` names; every input needs a shape, unless netsurgery wrote the net.

    Raises: ParseError, ShapeError; UnsupportedLayersError that lists every operator for which Caffe has no layer."""
    init, predict = _told_apart(first, second)
    proto, fills = read_netdef(predict), read_fills(init)
    source = Source(os.fspath(predict))
    layer_groups = groups(proto)
    _require_layers(proto, layer_groups, source)
    net = Importer(fills, source, _layer_of)
    _inputs(net, proto, dict(input_shapes or {}), fills)
    names = _versions(proto, list(net.shapes))
    ends = {group.first: group for group in layer_groups}
    index = 0
    while index < len(proto.op):
        group = ends.get(index)
        if group is not None:
            _take_group(net, group, names)
            index += group.count
            continue
        _take_operator(net, proto.op[index], names[index], source)
        index += 1
    _give_out(net, proto, names)
    files = {"prototxt": os.fspath(predict), "weights": os.fspath(init)}
    return Net(tuple(net.layers), proto.name, source, tuple(net.notes), files, Origin("Caffe2", binary=True))


def _told_apart(first: StrPath, second: StrPath | None) -> tuple[Path, Path]:
    """The init net and the predict net. Raises: ParseError."""
    if second is None:
        raise ParseError(
            "an init net and a predict net belong together",
            source=Source(os.fspath(first)),
            expected="two files: init_net.pb predict_net.pb",
        )
    pair = Path(first), Path(second)
    fills = [
        all(op.type in DECIDED and not op.input for op in read_netdef(path).op) if _small(path) else True
        for path in pair
    ]
    if fills == [False, True]:
        pair = pair[::-1]
    elif fills[0] == fills[1]:
        what = "neither fills in parameters alone" if not fills[0] else "both only fill in parameters"
        raise ParseError(what, source=Source(str(pair[0])), expected="an init net and a predict net")
    return pair


def _small(path: Path) -> bool:
    """Whether a file may be a predict net, which has no weights in it."""
    try:
        return path.stat().st_size < 64 << 20
    except OSError:
        return True  # reading it tells what is wrong


def _require_layers(proto: Any, layer_groups: Sequence[Group], source: Source) -> None:
    """Raises: UnsupportedLayersError."""
    inside = {i for group in layer_groups for i in range(group.first, group.first + group.count)}
    errors = [
        _unknown(op, source)
        for i, op in enumerate(proto.op)
        if i not in inside and op.type not in OPERATORS and not (op.type in DECIDED and not op.input)
    ]
    if errors:
        raise UnsupportedLayersError(errors, "read from Caffe2")


def _unknown(op: Any, source: Source) -> UnsupportedError:
    """The error of an operator that is not read."""
    layer = f"'{op.name or (op.output[0] if op.output else '')}' ({op.type})"
    spelled = {name.lower(): name for name in OPERATORS}
    if name := MISNOMERS.get(op.type) or spelled.get(op.type.lower()):
        problem = "Caffe2 has no operator of this name"
        return UnsupportedError(
            problem, layer=layer, source=source, expected=name, fix=f"write it as {name}, with its inputs"
        )
    return UnsupportedError("there is no layer of Caffe's for this operator", layer=layer, source=source)


def _inputs(net: Importer, proto: Any, input_shapes: InputShapes, fills: dict[str, Any]) -> None:
    """Input layers. Raises: ShapeError."""
    told = {a.name.removeprefix(SHAPE): tuple(a.ints) for a in proto.arg if a.name.startswith(SHAPE)}
    names = [name for name in proto.external_input if name in told or name in input_shapes or name not in fills]
    read = {blob for op in proto.op for blob in op.input} | set(proto.external_output)
    if any(name in read for name in names):
        for name in [n for n in names if n not in read and n not in input_shapes and n not in told]:
            names.remove(name)
            net.notes.append(f"input '{name}' left out: no operator reads it")
    for name in input_shapes:
        if name not in names:
            raise ShapeError(
                f"the net has no input '{name}'", source=net.source, expected=f"one of: {', '.join(names)}"
            )
    for name in names:
        fills.pop(name, None)  # init nets of caffe_translator's fill inputs with something
        shape = told.get(name)
        asked = input_shapes.get(name)
        if asked is not None and (shape is None or len(asked) == len(shape)):
            sizes = shape or [1] * len(asked)
            shape = tuple(n if isinstance(n, int) else m for n, m in zip(asked, sizes, strict=True))
        if shape is None:
            raise ShapeError(
                f"the shape of input '{name}' is not known: NetDefs do not say it",
                source=net.source,
                expected="a shape",
                fix=f"--input-shape {name}=1,3,224,224",
            )
        dims = " ".join(f"dim: {n}" for n in shape)
        text = f'layer {{ name: {quote(name)} type: "Input" top: {quote(name)} input_param {{ shape {{ {dims} }} }} }}'
        net.take(_layer_of(text, net.source))
    if not names:
        raise ShapeError(
            "the init net fills in every external input, so that no input is left",
            source=net.source,
            expected="an input",
            fix=f"--input-shape {next(iter(proto.external_input), 'data')}=1,3,224,224 says which blob is one",
        )


def _versions(proto: Any, inputs: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Inputs and outputs of every operator with one writer for each name: a net input keeps its name, of any other blob the last
    version has the plain one."""
    last: dict[str, int] = {}
    for i, op in enumerate(proto.op):
        last.update((name, i) for name in op.output)
    now = {name: name for name in inputs}
    taken = {*last, *inputs}
    marks: dict[str, int] = {}
    wiring = []
    for i, op in enumerate(proto.op):
        read = [now.get(name, name) for name in op.input]
        written = []
        for name in op.output:
            new = name
            if last[name] != i or name in inputs:
                new = free(f"{name}@{op.name or op.type}", taken, marks)
            taken.add(new)
            now[name] = new
            written.append(new)
        wiring.append((read, written))
    return wiring


def _take_operator(net: Importer, proto: Any, names: tuple[list[str], list[str]], source: Source) -> None:
    inputs, outputs = names
    if not outputs:
        raise ParseError("has no output", layer=f"'{proto.name}' ({proto.type})", source=source, expected=EXPECTED)
    if proto.type in DECIDED and not proto.input:
        net.fills[outputs[0]] = fill(proto, source)
        return
    arguments = {argument.name: argument for argument in proto.arg}
    op = Op(proto.type, proto.name or outputs[0], inputs, outputs, arguments, source)
    with reading(source, SCHEMA, layer=op, problem=MISFIT):
        OPERATORS[proto.type](net, op)
    op.check_all_asked()


def _take_group(net: Importer, group: Group, names: Sequence[tuple[list[str], list[str]]]) -> None:
    """The layer that operators were written for, with its blobs. Their bottoms may be parameters."""
    spelled = {
        old: new for read, written, op in group.wiring(names) for old, new in zip(op, (*read, *written), strict=True)
    }
    if lost := [name for name in group.blobs if name not in net.fills]:
        raise ParseError(f"the init net does not fill in '{lost[0]}'", source=net.source, expected=EXPECTED)
    arrays = [np.asarray(net.fills[name]) for name in group.blobs]
    layer = _layer_of(group.text, net.source, arrays)  # how many blobs there are tells variants of a type apart
    op = Op("", layer.name, [], list(layer.tops), {}, net.source)
    bottoms = [net.blob(op, spelled.get(b, b)) for b in layer.bottoms]
    shapes = layer.kind.weight_shapes([net.shapes[b] for b in bottoms])
    with reading(net.source, "the blobs of the layer", layer=layer, problem="its parameters do not fit"):
        blobs = [blob.reshape(numbers(shape)) for blob, shape in zip(arrays, shapes, strict=True)]
    names_now = {b: spelled.get(b, b) for b in (*layer.bottoms, *layer.tops)}
    net.take(_layer_of(group.text, net.source, blobs).with_blobs(names_now))


def _give_out(net: Importer, proto: Any, names: Sequence[tuple[list[str], list[str]]]) -> None:
    """Makes the outputs of the net, which are what nothing reads, those of the NetDef: a Silence reads what it does not give out, and
    what it gives out and others read, too, is once more there under its name, which none of them reads."""
    outputs = [name for name in proto.external_output if any(name in written for _, written in names)]
    if not outputs:
        return
    used = {b for layer in net.layers for b in layer.bottoms}
    inner = {name: f"{name}/read" for name in dict.fromkeys(outputs) if name in used}
    net.layers[:] = [layer.with_blobs(inner) for layer in net.layers]
    net.shapes.update({new: net.shapes[name] for name, new in inner.items()})
    for name, new in inner.items():
        net.take(
            _layer_of(
                f'layer {{ name: {quote(new)} type: "Split" bottom: {quote(new)} top: {quote(name)} }}', net.source
            )
        )
    used |= set(inner.values())
    ends = [t for layer in net.layers for t in layer.tops if t not in used and not layer.kind.is_input]
    if idle := [t for t in ends if t not in outputs]:
        bottoms = " ".join(f"bottom: {quote(t)}" for t in idle)
        net.take(_layer_of(f'layer {{ name: "silence" type: "Silence" {bottoms} }}', net.source))


def _layer_of(text: str, source: Source, weights: Sequence[Array] = ()) -> Layer:
    """Raises: UnsupportedError, ParseError."""
    layer = layer_from_text(text, source=source, weights=weights)
    layer.kind.require_supported()
    return layer
