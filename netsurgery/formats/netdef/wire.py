"""Caffe2's files: NetDefs, binary or text, and the parameters that init nets fill in, as views of the mapped file.

Source: caffe2.proto, filler_op.h
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._proto.caffe2 import new
from ...aliases import StrPath
from ...errors import ParseError, Source, UnsupportedError
from ...files.boundary import reading
from ...files.mapped import map_file
from ...files.protobuf_text import require_text
from ...files.wire import BYTES, FIXED32, Buffer, MalformedError, field, fields, text
from ...limits import require_values

Array = NDArray[Any]

# Numbers of fields on the wire: NetDef.op, OperatorDef.output, type and arg, Argument.name and floats.
_OP, _OUTPUT, _TYPE, _ARG = 2, 2, 4, 5
_NAME, _FLOATS = 1, 5
_FLOAT_TAG = _FLOATS << 3 | FIXED32
_DTYPES = {1: np.float32, 2: np.int32, 5: np.bool_, 10: np.int64, 13: np.float64}

FILLS = {
    "GivenTensorFill": np.float32,
    "GivenTensorIntFill": np.int32,
    "GivenTensorInt64Fill": np.int64,
    "GivenTensorBoolFill": np.bool_,
    "GivenTensorDoubleFill": np.float64,
}
EXPECTED = "a NetDef of Caffe2: init_net.pb or predict_net.pb"


def read_netdef(path: StrPath) -> Any:
    """A NetDef (a protobuf message), from .pb, or from text (.pbtxt). Raises: ParseError."""
    from google.protobuf import text_format

    source = Source(os.fspath(path))
    data = map_file(path, ParseError)
    net = new("NetDef")
    with reading(source, EXPECTED, problem="is no NetDef"):
        if source.file.endswith((".pbtxt", ".prototxt", ".txt")):
            text_format.Parse(bytes(data).decode("utf-8", "replace"), net, allow_unknown_field=True)
        else:
            net.ParseFromString(bytes(data))
    require_text(net, source, "is no NetDef", EXPECTED)
    if not net.op and not net.external_input and not net.name:  # an init net may have nothing to fill in
        raise ParseError("holds no operators", source=source, expected=EXPECTED)
    return net


def filled_names(path: StrPath) -> set[str]:
    """The blobs that an init net fills in. Raises: ParseError."""
    if not os.fspath(path).endswith(".pb"):
        return {name for op in read_netdef(path).op for name in op.output}
    data = map_file(path, ParseError)
    return {name for output, _, _ in _operators(data, os.fspath(path)) for name in output}


def read_fills(path: StrPath) -> dict[str, Array]:
    """The blobs that an init net fills in, by name; float32 values stay where they are in the file where these lie side by side.

    Raises: ParseError for a file that is none, UnsupportedError for an operator that does not fill in given numbers."""
    name = os.fspath(path)
    fills: dict[str, Array] = {}
    if not name.endswith(".pb"):
        for op in read_netdef(path).op:
            if not op.output:
                raise ParseError(f"operator {op.type} has no output", source=Source(name), expected=EXPECTED)
            fills[op.output[0]] = fill(op, Source(name))
        return fills
    data = map_file(path, ParseError)
    for _, kind, (start, end) in _operators(data, name):
        try:
            place = _values(data, start, end) if kind == "GivenTensorFill" else None
        except MalformedError as error:
            raise _no_netdef(error, name) from None
        begin, stop, values = place or (end, end, None)
        op = new("OperatorDef")
        with reading(name, EXPECTED, problem="is no NetDef"):
            op.ParseFromString(data[start:begin] + data[stop:end])
        require_text(op, Source(name), "is no NetDef", EXPECTED)
        fills[op.output[0]] = fill(op, Source(name)) if values is None else _shaped(op, values, Source(name))
    return fills


def fill(op: Any, source: Source) -> Array:
    """What a fill operator puts into its output. Raises: UnsupportedError, ParseError."""
    told = {argument.name: argument for argument in op.arg}
    title = f"'{op.output[0] if op.output else ''}' ({op.type})"
    if op.type in FILLS:
        values = told["values"] if "values" in told else new("Argument")
        with reading(source, EXPECTED, layer=title, problem="its values cannot be read"):
            array: Array = np.array(values.floats or values.ints or [], FILLS[op.type])
        return _shaped(op, array, source)
    if op.type == "ConstantFill" and not op.input:
        dtype = _DTYPES.get(told["dtype"].i if "dtype" in told else 1)
        value = told.get("value")
        number = 0 if value is None else value.i if value.HasField("i") else value.f
        if dtype is not None:
            shape = tuple(told["shape"].ints if "shape" in told else ())
            require_values(shape, "a constant", layer=title, source=source)
            with reading(source, EXPECTED, layer=title, problem="its constant cannot be made"):
                return np.broadcast_to(np.array(number, dtype), shape)  # of two billion: it takes no memory here
    raise UnsupportedError(
        f"operator {op.type} of an init net does not fill in given numbers",
        layer=title,
        source=source,
        expected=", ".join([*FILLS, "ConstantFill"]),
        fix="run the init net once, and save the blobs as GivenTensorFill (caffe2.python.predictor.mobile_exporter does)",
    )


def _shaped(op: Any, values: Array, source: Source) -> Array:
    """Values in the shape that the operator says."""
    shape = next((tuple(argument.ints) for argument in op.arg if argument.name == "shape"), ())
    if any(n < 0 for n in shape) or prod(shape) != values.size:
        raise ParseError(
            f"{values.size} values for the shape {'x'.join(map(str, shape)) or 'scalar'}",
            layer=f"'{op.output[0]}' ({op.type})",
            source=source,
            expected="as many values as the shape has places",
        )
    return values.reshape(shape)


def _operators(data: Buffer, name: str) -> Iterator[tuple[list[str], str, tuple[int, int]]]:
    """Outputs, type and place of each operator of a NetDef. Raises: ParseError."""
    try:
        for number, wire, begin, end in fields(data, 0, len(data)):
            if number != _OP or wire != BYTES:
                continue
            outputs, kind = [], ""
            for inner, inner_wire, start, stop in fields(data, begin, end):
                if inner == _OUTPUT and inner_wire == BYTES:
                    outputs.append(text(data, start, stop))
                elif inner == _TYPE and inner_wire == BYTES:
                    kind = text(data, start, stop)
            if not outputs:
                raise MalformedError("an operator without an output", begin)
            yield outputs, kind, (begin, end)
    except MalformedError as error:
        raise _no_netdef(error, name) from None


def _no_netdef(error: MalformedError, name: str) -> ParseError:
    return ParseError(f"is no NetDef: {error.problem}", source=Source(name), expected=EXPECTED, fix=error.fix)


def _values(data: Buffer, start: int, end: int) -> tuple[int, int, Array] | None:
    """The argument `values` of a fill operator: where it begins and ends, and its numbers; None where there is none like that."""
    at = start
    for number, wire, begin, stop in fields(data, start, end):
        if number == _ARG and wire == BYTES and (array := _floats(data, begin, stop)) is not None:
            return at, stop, array
        at = stop
    return None


def _floats(data: Buffer, start: int, end: int) -> Array | None:
    """The numbers of an argument that is called `values`: packed, or each with a tag of its own."""
    number, wire, begin, stop = field(data, start, end)
    if number != _NAME or wire != BYTES or text(data, begin, stop) != "values" or stop >= end:
        return None
    if data[stop] == _FLOAT_TAG:
        if (end - stop) % 5:
            return None
        pairs = np.frombuffer(data, np.uint8, end - stop, stop).reshape(-1, 5)
        if not (pairs[:, 0] == _FLOAT_TAG).all():
            return None
        return np.ascontiguousarray(pairs[:, 1:]).reshape(-1).view("<f4")
    number, wire, begin, last = field(data, stop, end)
    if number != _FLOATS or wire != BYTES or last != end or (last - begin) % 4:
        return None
    return np.frombuffer(data, "<f4", (last - begin) // 4, begin)
