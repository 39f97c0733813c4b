"""Weights files: a .caffemodel of any vintage is mapped and walked; its values are not touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ...aliases import Array, StrPath
from ...errors import Source, WeightsError
from ...files.mapped import map_file
from ...files.signatures import describe_wrong_file, is_hdf5
from ...files.wire import BYTES, TRUNCATED, VARINT, Buffer, MalformedError, fields, text, varint
from ..prototxt.upgrade_v0 import V0_TYPES
from ..prototxt.v1_types import V1_TYPES
from .blob import StoredBlob, read_blob
from .model_file import MAX_BLOBS, MAX_LAYERS, ModelFile, StoredLayer

OVER_2_GB = f"{TRUNCATED}; protobuf writes nothing over 2 GB: if it was saved so, save HDF5 (snapshot_format: HDF5)"


@dataclass(frozen=True)
class _Names:
    """Numbers of the fields of a layer message."""

    name: int
    type: int
    blobs: int
    inner: int = 0


_V2, _V1, _V0 = _Names(1, 2, 7), _Names(4, 5, 6, inner=1), _Names(1, 2, 50)


def read_caffemodel(path: StrPath) -> ModelFile:
    """The layers of a weights file with their blobs: views of the mapped file where it holds float32 values.

    Raises: WeightsError if it is missing, damaged, or something else.
    """
    name = os.fspath(path)
    data = map_file(path)
    if is_hdf5(data):
        from .hdf5 import read_hdf5

        return read_hdf5(name, data)
    wrong = describe_wrong_file(data)
    if wrong:
        problem, expected, fix = wrong
        raise WeightsError(problem, source=Source(name), expected=expected, fix=fix)
    return parse_caffemodel(data, name)


def read_binaryproto(path: StrPath) -> Array:
    """The one blob of a .binaryproto file (a mean image), float32.

    Raises: WeightsError if it is missing, damaged, or something else.
    """
    source = Source(os.fspath(path))
    data = map_file(path)
    try:
        return read_blob(data, 0, len(data)).array
    except MalformedError as error:
        raise WeightsError(
            error.problem,
            source=source,
            expected=error.expected or "a single BlobProto, as compute_image_mean writes it",
            fix=error.fix,
        ) from None


def parse_caffemodel(data: Buffer, path: str) -> ModelFile:
    """The NetParameter in `data`. Raises: WeightsError that names `path`, the layer and the byte."""
    source = Source(path)
    name = ""
    vintages: set[str] = set()
    layers: list[StoredLayer] = []
    blobs = 0
    for number, wire, begin, end in _top_fields(data, source):
        if number == 1 and wire == BYTES:
            name = text(data, begin, end)
        elif number in (100, 2):
            if wire != BYTES:
                raise WeightsError(f"field {number} of the net has wire type {wire} (byte {begin})", source=source)
            layer, vintage = _read_layer(data, begin, end, _V2 if number == 100 else _V1, source)
            layers.append(layer)
            vintages.add(vintage)
            blobs += len(layer.blobs)
            if len(layers) > MAX_LAYERS or blobs > MAX_BLOBS:
                raise WeightsError(
                    f"more than {MAX_LAYERS} layers or {MAX_BLOBS} blobs (byte {begin})",
                    source=source,
                    expected="a Caffe model",
                )
    if not layers:
        raise WeightsError("holds no layers", source=source, expected="a .caffemodel")
    return ModelFile(
        path,
        name,
        tuple(layers),
        vintages.pop() if len(vintages) == 1 else "mixed",
        frozenset(blob.precision for layer in layers for blob in layer.blobs if blob),
        data,
    )


def _top_fields(data: Buffer, source: Source) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the net. Where they break off, the error names the layer, if its name can be read."""
    at = 0
    try:
        for span in fields(data, at, len(data)):
            yield span
            at = span[3]
    except MalformedError as error:
        fix = OVER_2_GB if len(data) > 2**31 else error.fix
        layer = _broken_layer(data, at)
        if at == 0 and not layer:  # nothing of it makes sense
            problem = f"is no caffemodel: {error.problem}"
            raise WeightsError(problem, source=source, expected="a binary NetParameter", fix=fix) from None
        raise WeightsError(error.problem, layer=layer, source=source, expected=error.expected, fix=fix) from None


def _broken_layer(data: Buffer, at: int) -> str:
    """The title of the layer at `at`, whose end is missing, if that is what is there."""
    try:
        tag, at = varint(data, at, len(data))
        _, at = varint(data, at, len(data))
    except MalformedError:
        return ""
    names = {100 << 3 | BYTES: _V2, 2 << 3 | BYTES: _V1}.get(tag)
    return _broken_title(data, at, len(data), names) if names else ""


def _broken_title(data: Buffer, start: int, end: int, names: _Names) -> str:
    """The name that a layer has before it breaks off, as a title."""
    try:
        for number, wire, begin, stop in fields(data, start, end):
            if number == names.name and wire == BYTES:
                return f"'{_short(text(data, begin, stop))}'"
    except MalformedError:
        pass
    return ""


def _read_layer(data: Buffer, start: int, end: int, names: _Names, source: Source) -> tuple[StoredLayer, str]:
    """A layer of the net and its vintage."""
    name = kind = ""
    vintage = "V2" if names is _V2 else "V1"
    blobs: list[StoredBlob] = []
    reading_blobs = False
    try:
        spans, inner = layer_spans(data, start, end, names)
        if inner:
            # A V0 layer: the message inside holds name, type and blobs, and Caffe reads them nowhere else.
            vintage, names = "V0", _V0
            spans = [span for begin, stop in inner for span in layer_spans(data, begin, stop, _V0)[0]]
        for number, _, begin, stop in spans:
            if number == names.name:
                name = text(data, begin, stop)
            elif number == names.type:
                kind = _type(data, begin, stop, vintage)
        reading_blobs = True
        for number, _, begin, stop in spans:
            if number == names.blobs:
                if len(blobs) == MAX_BLOBS:
                    raise MalformedError(f"more than {MAX_BLOBS} blobs", begin)
                blobs.append(read_blob(data, begin, stop))
    except MalformedError as error:
        problem = f"blob {len(blobs)}: {error.problem}" if reading_blobs else error.problem
        title = f"'{_short(name)}' ({_short(kind) or '?'})" if reading_blobs else _broken_title(data, start, end, names)
        raise WeightsError(problem, layer=title, source=source, expected=error.expected, fix=error.fix) from None
    return StoredLayer(name, kind, tuple(blobs), source), vintage


Span = tuple[int, int, int, int]


def layer_spans(data: Buffer, start: int, end: int, names: _Names) -> tuple[list[Span], list[tuple[int, int]]]:
    """Where name, type and blobs of a layer are, and the V0 layers inside it."""
    spans: list[Span] = []
    inner: list[tuple[int, int]] = []
    for span in fields(data, start, end):
        number, wire, begin, stop = span
        if number not in (names.name, names.type, names.blobs, names.inner):
            continue
        right = VARINT if names is _V1 and number == names.type else BYTES
        if wire != right:
            hint = "this looks like a Caffe2 NetDef (init_net.pb): only Caffe models are read" if names is _V1 else ""
            raise MalformedError(f"field {number} of a layer has wire type {wire}", begin, f"wire type {right}", hint)
        if number == names.inner:
            inner.append((begin, stop))
        else:
            spans.append(span)
            if len(spans) > MAX_BLOBS:
                raise MalformedError(f"more than {MAX_BLOBS} blobs", begin)
    return spans, inner


def _type(data: Buffer, start: int, end: int, vintage: str) -> str:
    if vintage == "V1":
        number, _ = varint(data, start, end)
        return V1_TYPES.get(number, f"#{number}")
    name = text(data, start, end)
    return V0_TYPES.get(name, name) if vintage == "V0" else name


def blob_spans(data: Buffer) -> Iterator[tuple[int, int]]:
    """Where each BlobProto of a net is. Raises: MalformedError."""
    for number, wire, begin, end in fields(data, 0, len(data)):
        if number in (100, 2) and wire == BYTES:
            names = _V2 if number == 100 else _V1
            spans, inner = layer_spans(data, begin, end, names)
            spans = [*spans, *(span for start, stop in inner for span in layer_spans(data, start, stop, _V0)[0])]
            numbers = {names.blobs, _V0.blobs}
            yield from ((start, stop) for number, _, start, stop in spans if number in numbers)


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:77]}..."
