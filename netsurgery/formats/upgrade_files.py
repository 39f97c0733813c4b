"""Old Caffe files written as new ones: V0 and V1 become V2, of every phase; what is V2 keeps its text.

Source: tools/upgrade_net_proto_text.cpp, tools/upgrade_net_proto_binary.cpp of BVLC Caffe
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from ..aliases import StrPath
from ..errors import ParseError, Source
from ..files.boundary import read_file
from ..files.output import replacing, replacing_all
from ..files.signatures import HEAD, is_binary, is_netdef
from ..message import Message
from ..net import Net
from .load import load
from .prototxt.characters import MAX_BYTES
from .prototxt.text import parse
from .prototxt.typed import resolve
from .prototxt.upgrade import upgrade
from .prototxt.versions import file_names
from .prototxt.write import original_text, write_message
from .save import write_layer
from .weights.caffemodel import read_caffemodel
from .weights.model_file import ModelFile, StoredLayer
from .weights.write_caffemodel import write_to


@dataclass(frozen=True)
class Upgraded:
    """The files that were written, and notes on what was changed."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def upgrade_files(
    net: StrPath, prototxt: StrPath, weights: StrPath | None = None, caffemodel: StrPath | None = None
) -> Upgraded:
    """Writes `net` (a prototxt of any vintage, or a caffemodel) as V2 prototxt, and the weights, if there are any, as V2 `caffemodel`
    with float32 values in the shapes that Caffe gives them today: both whole or none at all.

    Layers of every phase stay, comments with them. So do layers that only the weights have.

    Raises: ParseError, WeightsError; NetsurgeryError if a file cannot be written.
    """
    path = os.fspath(net)
    if is_netdef(path):
        raise ParseError(
            "is a NetDef of Caffe2's, which has no older form",
            source=Source(path),
            expected="a prototxt, or a caffemodel",
            fix="netsurgery convert init_net.pb predict_net.pb -o NET.prototxt writes it as Caffe's",
        )
    if is_binary(read_file(path, HEAD)):
        weights = path if weights is None else weights
        message = _without_phases(read_caffemodel(path).message())
    else:
        message = resolve(parse(read_file(path, MAX_BYTES + 1), path), "NetParameter")
    message, notes = upgrade(message)
    text = _text(message).encode("utf-8", "surrogateescape")
    if weights is None or caffemodel is None:
        with replacing(prototxt) as out:
            out.write(text)
        return Upgraded((os.fspath(prototxt),), notes)
    stored = read_caffemodel(weights)
    model = load(net, None if os.fspath(weights) == path else weights, ignore_unknown=True)
    with replacing_all([caffemodel, prototxt]) as (blobs, out):
        out.write(text)
        write_to(blobs, model, file_names(model), _others(stored, model), source=Source(os.fspath(caffemodel)))
    filled = tuple(note for note in model.notes if "filled as the prototxt says" in note)
    return Upgraded((os.fspath(prototxt), os.fspath(caffemodel)), (*notes, *filled))


def _without_phases(net: Message) -> Message:
    """The net of a snapshot without the phase that training fixed for each layer."""
    fields = [replace(f, value=f.value.without("phase")) if f.name == "layer" else f for f in net.fields]
    return replace(net, fields=tuple(fields))


def _text(net: Message) -> str:
    """A V2 net as text; the original one of layers that are as they were."""
    return "".join(
        write_layer(f.value, original_text(f)) if f.name == "layer" else write_message(Message("NetParameter", (f,)))
        for f in net.fields
    )


def _others(stored: ModelFile, net: Net) -> list[StoredLayer]:
    """Layers of the weights file that the net of the TEST phase does not have."""
    return [x for x in stored.layers if x.blobs and x.name not in net]
