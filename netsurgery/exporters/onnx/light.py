"""ONNX models with intermediate values as further outputs, in memory, their weights left where they are.

model.onnx: data -> conv1 -> pool1 -> prob      becomes, as a few KB:   outputs prob, conv1, pool1
            weights in the file                                         weights: offsets into model.onnx
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...errors import ParseError, Source
from ...files.boundary import reading
from ...files.mapped import map_file
from ...files.protobuf_text import require_text
from ...files.wire import BYTES, Buffer, MalformedError, fields
from .external import external_ends

BIG = 1024
"""Bytes from which on a tensor is left where it is."""

_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Numbers of ModelProto.graph, GraphProto.initializer, TensorProto.raw_data."""


@dataclass(frozen=True)
class LightModel:
    """A model without the numbers of its large tensors: they are external data, in `folder`, or `arrays`, by name."""

    proto: onnx.ModelProto
    folder: str
    path: str = ""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def values(self) -> set[str]:
        """Every value that a node of the main graph writes."""
        return {name for node in self.proto.graph.node for name in node.output if name}

    def with_outputs(self, names: Iterable[str]) -> bytes:
        """The model as bytes, with these values as outputs besides its own."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        ends = {output.name for output in proto.graph.output}
        for name in names:
            if name not in ends:
                proto.graph.output.add(name=name)
        return proto.SerializeToString()


def read_light(model: str | os.PathLike[str] | bytes | onnx.ModelProto) -> LightModel:
    """Reads a model, from a file or from memory, without its large tensors. Raises: ParseError if it is none."""
    if isinstance(model, onnx.ModelProto | bytes):
        proto = _parsed(model, "<bytes>") if isinstance(model, bytes) else model
        _require_sound(proto, "<in memory>")
        return _lightened(proto, "")
    path = Path(os.path.realpath(model))  # runtimes refuse links
    data = map_file(model, ParseError)
    proto = onnx.ModelProto()
    try:
        graphs, rest = _parted(data, 0, len(data), _GRAPH, 0)
        for begin, stop in graphs:
            proto.graph.MergeFrom(_graph(data, begin, stop, path))
        proto.MergeFrom(_parsed(rest, str(path)))
    except MalformedError as error:
        raise _no_model(str(path), error.problem) from None
    if not proto.graph.node and not proto.graph.output:
        raise _no_model(str(path), "it holds no graph")
    _require_sound(proto, str(path))
    return LightModel(proto, str(path.parent), os.fspath(model))


def _require_sound(proto: onnx.ModelProto, path: str) -> None:
    """Raises: ParseError for names that are no text, types of values that there are not, and numbers outside of the model's folder."""
    require_text(proto, Source(path), "is no ONNX model", "a .onnx file")
    external_ends(proto, path)
    types = onnx.TensorProto.DataType.values()
    for value in (*proto.graph.input, *proto.graph.output):
        if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type not in types:
            raise _no_model(path, f"'{value.name}' is of element type {value.type.tensor_type.elem_type}")


def _parted(data: Buffer, start: int, end: int, field: int, least: int) -> tuple[list[tuple[int, int]], bytes]:
    """Where the values of a field stand that have so many bytes; and the message without them."""
    places, pieces, done = [], [], start
    for number, wire, begin, stop in fields(data, start, end):
        if number == field and wire == BYTES and stop - begin >= least:
            places.append((begin, stop))
        else:
            pieces.append(data[done:stop])
        done = stop
    return places, b"".join(pieces)


def _graph(data: Buffer, start: int, end: int, path: Path) -> onnx.GraphProto:
    graph, rest = onnx.GraphProto(), onnx.GraphProto()
    places, text = _parted(data, start, end, _INITIALIZER, BIG)
    graph.initializer.extend(_tensor(data, *place, path) for place in places)
    _parse(rest, text, str(path))
    graph.MergeFrom(rest)
    return graph


def _tensor(data: Buffer, start: int, end: int, path: Path) -> onnx.TensorProto:
    """A tensor whose numbers, if they are one block of the file, are told by where they stand."""
    places, rest = _parted(data, start, end, _RAW_DATA, BIG)
    tensor = onnx.TensorProto()
    _parse(tensor, rest, str(path))
    for begin, stop in places[-1:]:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", path.name), ("offset", str(begin)), ("length", str(stop - begin))):
            tensor.external_data.add(key=key, value=value)
    return tensor


def _lightened(model: onnx.ModelProto, folder: str) -> LightModel:
    """The same for a model in memory: its large tensors become arrays."""
    arrays = {}
    proto = onnx.ModelProto()
    for name in model.DESCRIPTOR.fields_by_name:
        if name != "graph":
            _copy_field(model, proto, name)
    for name in model.graph.DESCRIPTOR.fields_by_name:
        if name != "initializer":
            _copy_field(model.graph, proto.graph, name)
    for tensor in model.graph.initializer:
        raw = tensor.raw_data if tensor.HasField("raw_data") and tensor.data_type == onnx.TensorProto.FLOAT else b""
        if len(raw) < BIG:
            proto.graph.initializer.add().CopyFrom(tensor)
            continue
        arrays[tensor.name] = np.frombuffer(raw, np.float32).reshape(tuple(tensor.dims))
        light = proto.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        light.data_location = onnx.TensorProto.EXTERNAL
        light.external_data.add(key="location", value="in memory")
    return LightModel(proto, folder, "", arrays)


def _copy_field(source: Any, target: Any, name: str) -> None:
    value = getattr(source, name)
    if source.DESCRIPTOR.fields_by_name[name].is_repeated:
        getattr(target, name).extend(value)
    elif source.HasField(name):
        if hasattr(value, "CopyFrom"):
            getattr(target, name).CopyFrom(value)
        else:
            setattr(target, name, value)


def _parsed(data: bytes, name: str) -> onnx.ModelProto:
    proto = onnx.ModelProto()
    _parse(proto, data, name)
    return proto


def _parse(message: Any, data: bytes, name: str) -> None:
    with reading(name, "a .onnx file", problem="is no ONNX model"):
        message.ParseFromString(data)


def _no_model(name: str, why: str) -> ParseError:
    return ParseError(f"is no ONNX model: {why}", source=Source(name), expected="a .onnx file")
