"""ONNX models on disk: weights embedded, beside the model, or left in the caffemodel.

embed      model.onnx                      the numbers stand in the file, copied straight from the mapped caffemodel
external   model.onnx, model.onnx.data     the numbers stand in one file beside it, every tensor at the start of a page
link       model.onnx, the caffemodel      the model points into the caffemodel; what changed stands in model.onnx.data

What onnxruntime (1.32, CPU) does with them: embedded numbers are parsed and copied, those in other files are mapped and used where they
lie. They may lie at any byte, as they do in a caffemodel: loads of unaligned floats are allowed on x86-64 and on aarch64, and tensors
at the start of a page were measured to be no faster to start with or to run. By default it then packs the matrices of InnerProducts
into memory of its own (session.disable_prepacking=1: it does not, and starts at once) and brings kernels into its blocked layout.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx

from ...errors import NetsurgeryError, Source, UnsupportedError, WeightsError
from ...files.copy import copy_array
from ...files.mapped import MappedFile, find, identity, locate, require_unchanged
from ...files.memory import uncollected
from ...files.output import replacing, replacing_all
from ...files.signatures import is_hdf5
from ...files.wire import BYTES, put_bytes, put_tag, put_varint
from ...formats.preprocessing import Preprocessing
from ...formats.weights.hashes import sha256, structure_hash
from ...net import Net, require_net
from ..builder import Array
from ..form import ModelForm
from .export import build

EMBED_LIMIT = 1_500_000_000
"""Bytes of weights above which "auto" writes them beside the model: protobuf ends at 2 GB."""

PAGE = 4096
SMALL = 1024
"""Tensors of fewer bytes stand in the model itself, whatever the mode: indices, biases, scalars."""


@dataclass(frozen=True)
class Written:
    """What was written: the mode that was taken, and the file of weights beside the model, if any."""

    path: Path
    weights: str
    data: Path | None = None
    notes: tuple[str, ...] = ()


def save_onnx(
    net: Net,
    path: str | os.PathLike[str],
    *,
    weights: str = "auto",
    opset: int | None = None,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
    plain: bool = False,
    winograd: bool = False,
    target: str | None = None,
    full_hash: bool = False,
    preprocessing: Preprocessing | None = None,
    bake: bool = False,
    fp16: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Written:
    """Writes the net as an ONNX file, whole or not at all. Options as for `to_onnx`, and:

    `weights`: "embed", "external", "link" (see the top of this file), or "auto": embed up to 1.5 GB, external above. Tensors of less
    than 1 KB always stand in the model. `full_hash` makes link record the caffemodel's full SHA-256 besides the hash of its structure;
    the others always record the full one. `metadata` is recorded besides.

    Raises: UnsupportedError, ShapeError, WeightsError; NetsurgeryError if a file cannot be written, or cannot be linked from there.
    """
    require_net(net)
    about = preprocessing, bake, fp16, weights, full_hash, metadata or {}
    form = ModelForm(outputs, fold, input_shapes, static, opset, plain, target, *about, winograd=winograd)
    return write_onnx(net, Path(path), form)


@uncollected()
def write_onnx(net: Net, place: Path, form: ModelForm) -> Written:
    """`save_onnx`, its options as one value."""
    weights = form.weights
    if weights not in ("auto", "embed", "external", "link"):
        raise UnsupportedError(f"weights={weights!r}", expected="embed, external, link or auto")
    source = _weights_file(net)
    _refuse_source(place, source)
    with ThreadPoolExecutor(1) as pool:  # the hash is read while the weights are copied
        recorded = pool.submit(_hashes, net, source, weights == "link", form.full_hash)

        def hashes() -> dict[str, str]:
            """When all is written: the hashes of what was written."""
            require_unchanged(array for layer in net.layers for array in layer.weights)
            return recorded.result()

        model, arrays, notes = build(net, form)
        total = sum(array.nbytes for array in arrays.values())
        if weights == "auto":
            weights = "embed" if total <= EMBED_LIMIT else "external"
            if weights == "external":
                notes += (f"{total / 1e9:.1f} GB of weights stand in {place.name}.data: one file could not hold them",)
        if weights == "embed":
            if total > 2**31 - 2**20:
                raise UnsupportedError(
                    f"{total / 1e9:.1f} GB of weights in one file", expected="less than 2 GB", fix="--weights external"
                )
            with replacing(place) as file:
                _write_model(file, model, arrays, hashes)
            return Written(place, weights, notes=notes)
        linked = source if weights == "link" else None
        return _save_beside(place, weights, model, arrays, linked, hashes, notes)


def _weights_file(net: Net) -> MappedFile | None:
    """The net's weights file, as it was when it was mapped."""
    path = os.path.abspath(net.files.get("weights", ""))
    for layer in net.layers:
        for array in layer.weights:
            place = find(array)
            if place is not None and place[0].path == path:
                return place[0]
    return None


def _refuse_source(target: Path, source: MappedFile | None) -> None:
    """Raises: NetsurgeryError if the model, or what is written beside it, would take the place of the weights."""
    for path in (target, _beside(target)):
        if source is not None and os.path.realpath(path) == os.path.realpath(source.path):
            raise NetsurgeryError("is the net's weights file", source=Source(str(path)), expected="another name")


def _beside(target: Path) -> Path:
    return target.with_name(target.name + ".data")


def _hashes(net: Net, source: MappedFile | None, linked: bool, full: bool) -> dict[str, str]:
    """What the model records of its source files: their hashes. A file that is gone by now, or changed, has none."""
    entries = {}
    for kind, path in net.files.items():
        name = f"netsurgery.{kind}"
        file = source if kind == "weights" and source is not None else path
        if file is path and net.origin.identities.get(kind, identity(path)) != identity(path):
            continue  # it is another file by now, or another text
        if isinstance(file, MappedFile) and linked:
            file.require_unchanged()
            entries[f"{name}.size"] = str(len(file))
            if not is_hdf5(file):
                entries[f"{name}.structure_sha256"] = structure_hash(file)
                if not full:
                    continue
        with suppress(WeightsError):
            entries[f"{name}.sha256"] = sha256(file)
    return entries


def _save_beside(
    target: Path,
    mode: str,
    model: onnx.ModelProto,
    arrays: Mapping[str, Array],
    linked: MappedFile | None,
    recorded: Callable[[], dict[str, str]],
    notes: tuple[str, ...],
) -> Written:
    """Writes the model and what stands beside it: both or none."""
    if target.is_symlink():
        raise NetsurgeryError(
            "is a symbolic link: runtimes would look for the weights beside it, or refuse to",
            source=Source(str(target)),
            expected="the path of the model itself",
            fix=f"write to {os.path.realpath(target)}, or use --weights embed",
        )
    places: dict[str, tuple[str, int, int]] = {}  # initializer -> (file, offset, length)
    moved: dict[str, Array] = {}
    for name, array in arrays.items():
        if array.nbytes < SMALL:
            continue
        place = locate(array) if linked is not None else None
        if linked is not None and place is not None and place[0] == linked.path:
            places[name] = (_location(target, linked), place[1], array.nbytes)
        else:
            moved[name] = array
    data = _beside(target)
    end = 0
    for name, array in moved.items():
        start = -(-end // PAGE) * PAGE
        places[name] = (data.name, start, array.nbytes)
        end = start + array.nbytes
    for proto in model.graph.initializer:
        if proto.name in places:
            location, offset, length = places[proto.name]
            proto.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
                proto.external_data.add(key=key, value=value)
    inline = {name: array for name, array in arrays.items() if name not in places}
    if not moved:
        with replacing(target) as file:
            _write_model(file, model, inline, recorded)
    else:
        with replacing_all([data, target]) as (beside, file):
            for name, array in moved.items():
                beside.write(b"\0" * (places[name][1] - beside.tell()))
                _write_array(array, beside)
            _write_model(file, model, inline, recorded)
    if mode == "link":
        notes += _link_notes(data, linked, len(places), sum(array.nbytes for array in moved.values()))
    return Written(target, mode, data if moved else None, notes)


def _link_notes(data: Path, linked: MappedFile | None, count: int, moved: int) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if moved:
        notes += (
            f"{moved / 1e6:.1f} MB of weights are not in the weights file as the model needs them (folded, of another type, "
            f"made up): they stand in {data.name}",
        )
    elif data.exists():
        notes += (f"{data.name}, of an earlier conversion, is no longer needed",)
    if linked is not None and count and os.fstat(linked.descriptor).st_nlink > 1:
        notes += (f"{linked.path} has several hard links: onnxruntime reads it, onnx.load and onnx.checker refuse it",)
    return notes


def _location(target: Path, weights: MappedFile) -> str:
    """The caffemodel's path from the folder of the model, no symbolic link in it. Runtimes refuse to leave that folder.

    Raises: NetsurgeryError."""
    folder, file = os.path.realpath(target.parent), os.path.realpath(weights.path)
    if not Path(file).is_relative_to(folder):
        raise NetsurgeryError(
            f"cannot point to {weights.path}",
            source=Source(str(target)),
            expected="a model in the folder of its caffemodel, or above it: runtimes refuse other places",
            fix=f"write the model to {os.path.dirname(file)}, or use --weights external or --weights embed",
        )
    return Path(os.path.relpath(file, folder)).as_posix()


def _write_model(
    file: BinaryIO, model: onnx.ModelProto, arrays: Mapping[str, Array], recorded: Callable[[], dict[str, str]]
) -> None:
    """ModelProto on the wire, the numbers of `arrays` copied into it without a copy in memory. Fields stand in this order: what is
    known at once, the graph, the metadata, of which the hashes come last."""
    graph = onnx.GraphProto()
    graph.CopyFrom(model.graph)
    del graph.initializer[:]
    head = onnx.ModelProto()
    head.CopyFrom(model)
    head.ClearField("graph")
    rest = graph.SerializeToString(deterministic=True)
    pieces: list[tuple[bytes, Array | None]] = []
    size = len(rest)
    for proto in model.graph.initializer:
        body, array = proto.SerializeToString(deterministic=True), arrays.get(proto.name)
        if array is None:
            start = put_bytes(_INITIALIZER, body)
        else:
            body += put_tag(_RAW_DATA, BYTES) + put_varint(array.nbytes)
            start = put_tag(_INITIALIZER, BYTES) + put_varint(len(body) + array.nbytes) + body
        pieces.append((start, array))
        size += len(start) + (array.nbytes if array is not None else 0)
    file.write(head.SerializeToString(deterministic=True))
    file.write(put_tag(_GRAPH, BYTES) + put_varint(size) + rest)
    for start, array in pieces:
        file.write(start)
        if array is not None:
            _write_array(array, file)
    tail = onnx.ModelProto()
    for key, value in recorded().items():
        tail.metadata_props.add(key=key, value=value)
    file.write(tail.SerializeToString(deterministic=True))


_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Numbers of ModelProto.graph, GraphProto.initializer, TensorProto.raw_data."""


def _write_array(array: Array, file: BinaryIO) -> None:
    if array.dtype == np.float32:
        copy_array(array, file)
    else:
        file.write(np.ascontiguousarray(array).tobytes())
