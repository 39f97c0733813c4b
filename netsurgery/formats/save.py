"""Net -> Caffe: a prototxt and a caffemodel that BVLC Caffe loads, with the same numbers.

Layers that are as they were read keep their text and comments; others are written as Caffe's own models are.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from ..aliases import Array, StrPath
from ..errors import NetsurgeryError, Source, UnsupportedError, WeightsError
from ..files.output import replacing, replacing_all
from ..limits import show_shapes
from ..message import Field, Message, quote
from ..net import IDENTITY, Layer, Net, require_net
from ..shapes import known_shapes
from .prototxt.phases import filter_net
from .prototxt.text import parse
from .prototxt.typed import resolve
from .prototxt.versions import file_names, layer_message
from .prototxt.write import write_message
from .weights.attach import shared_name


def save_caffe(net: Net, prototxt: StrPath, caffemodel: StrPath | None = None) -> None:
    """Writes the net as V2 prototxt and, if asked for, its weights as float32 caffemodel: both whole or none at all.

    Layers that only a phase or stages select which Caffe would not select by itself (TEST, none) lose their rules; layers that share
    blobs by name which are no longer the same lose the name.

    Raises: WeightsError for a layer whose weights are missing, UnsupportedError for what Caffe cannot read, NetsurgeryError if a file
    cannot be written.
    """
    require_net(net)
    path = os.fspath(prototxt)
    for blob, shape in net.inputs.items():
        if shape is None and net.writer(blob).type == "Input":
            raise UnsupportedError(
                f"the shape of input '{blob}' is not declared",
                layer=net.writer(blob),
                expected="a shape: Caffe cannot load the net without",
                fix=f"--input-shape {blob}=1,3,224,224, or netsurgery.passes.set_input_shape(net, '{blob}', (1, 3, 224, 224))",
            )
    for layer in net.layers:
        if layer.kind.only_here:
            raise UnsupportedError(
                layer.kind.only_here, layer=layer, expected="a layer that some Caffe has", fix="write .onnx"
            )
    net = _unshared(_unconditional(net))
    names = file_names(net)
    text = to_prototxt(net).encode("utf-8", "surrogateescape")
    if caffemodel is None:
        with replacing(path) as out:
            out.write(text)
        return
    from .weights.write_caffemodel import write_to

    _require_weights(net)
    with replacing_all([caffemodel, path]) as (weights, out):
        out.write(text)
        write_to(weights, net, names, source=Source(os.fspath(caffemodel)))


def to_prototxt(net: Net) -> str:
    """The net as text, V2: what `save_caffe` writes."""
    require_net(net)
    net = _unconditional(net)
    names = file_names(net)
    header = f"name: {quote(net.name)}\n" if net.name else ""
    return header + "".join(_layer_text(layer, names) for layer in net.layers)


def write_layer(message: Message, text: str = "") -> str:
    """A layer as text: `text` itself where it says the same, else in the house style, under the comments of `text`."""
    text = text.replace("\r\n", "\n")
    if text and _says(text, message):
        return f"{text}\n"
    for f in _fields_by_number(message):
        raise UnsupportedError(
            f"field {f.name[1:]} of the binary net is not known and has no name to write",
            layer=f"'{message.last('name', '')}' ({message.last('type', '')})",
            source=f.source,
            fix="give the prototxt, which names it",
        )
    comments = _COMMENTS.match(text)
    return f"{comments[0] if comments else ''}layer {{\n{write_message(message, 1)}}}\n"


def _layer_text(layer: Layer, names: Mapping[str, str]) -> str:
    return write_layer(layer_message(layer, names), layer.params.text)


_COMMENTS = re.compile(r"(?:[ \t]*#[^\n]*\n)+")
_NOT_CODE = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|#[^\n]*')
_BOOLS = {"true", "True", "t", "false", "False", "f"}


def _says(text: str, message: Message) -> bool:
    """Whether the text of a layer is that of `message`, and Caffe's parser, stricter than ours, reads it."""
    code = _NOT_CODE.sub('""', text)
    words = re.findall(r":\s*(true|false|t|f)\b", code, re.IGNORECASE)
    if not code.isascii() or "[" in code or not _BOOLS.issuperset(words):
        return False
    try:
        fields = resolve(parse(text, layer_text=False), "NetParameter").fields
    except NetsurgeryError:
        return False
    if len(fields) != 1 or fields[0].name != "layer":
        return False
    said = fields[0].value
    return all(said.all(name) == message.all(name) for name in IDENTITY) and said.without(*IDENTITY).same(
        message.without(*IDENTITY)
    )


def _fields_by_number(message: Message) -> list[Field]:
    unnamed = [f for f in message.fields if f.name.startswith("#")]
    for f in message.fields:
        if isinstance(f.value, Message):
            unnamed += _fields_by_number(f.value)
    return unnamed


def _unconditional(net: Net) -> Net:
    """The net without the rules by which Caffe would leave one of its layers out, and without the TRAIN phase that snapshots fix for
    each layer: Caffe would drop out, and normalize by the batch."""
    layers = []
    for layer in net.layers:
        if layer.params.last("phase") == "TRAIN":
            layer = replace(layer, params=layer.params.without("phase"))
        if layer.params.has("include") or layer.params.has("exclude"):
            only = Message("NetParameter", (Field("layer", layer.params),))
            if not filter_net(only).fields:
                layer = replace(layer, params=layer.params.without("include", "exclude"))
        layers.append(layer)
    return net.with_layers(layers)


def _unshared(net: Net) -> Net:
    """The net without the names by which layers share blobs that are no longer the same: Caffe would give all of them the last one."""
    first: dict[str, Array] = {}
    apart: set[str] = set()
    for layer in net.layers:
        for i, array in enumerate(layer.weights):
            if (name := shared_name(layer, i)) and not _equal(first.setdefault(name, array), array):
                apart.add(name)
    return net.with_layers(_with_own_blobs(layer, apart) for layer in net.layers) if apart else net


def _equal(a: Array, b: Array) -> bool:
    return a is b or (a.size == b.size and bool((a.reshape(-1) == b.reshape(-1)).all()))


def _with_own_blobs(layer: Layer, apart: set[str]) -> Layer:
    if not any(shared_name(layer, i) in apart for i in range(len(layer.weights))):
        return layer
    specs = [
        replace(f, value=f.value.without("name", "share_mode")) if f.value.last("name") in apart else f
        for f in layer.params.fields
        if f.name == "param"
    ]
    return replace(layer, params=layer.params.with_fields(*specs))


def _require_weights(net: Net) -> None:
    """Raises: WeightsError for a layer that wants blobs and has none, or others; UnsupportedError for two with weights and one name."""
    from ..interpreter import check_weights

    names = Counter(layer.name for layer in net.layers)
    for layer in net.layers:
        if layer.weights and names[layer.name] > 1:
            raise UnsupportedError(
                "another layer has its name: Caffe loads weights by name, and only into the first",
                layer=layer,
                expected="a name of its own for each layer with weights",
                fix="rename one of the two in the prototxt",
            )
    shapes = known_shapes(net)
    for layer in net.layers:
        if not layer.kind.is_supported or not all(b in shapes for b in layer.bottoms):
            continue
        bottoms = [shapes[b] for b in layer.bottoms]
        if layer.weights:
            check_weights(layer, bottoms)
        elif blob_shapes := layer.kind.weight_shapes(bottoms):
            raise WeightsError(
                "has no weights",
                layer=layer,
                expected=f"blobs of shapes {show_shapes(blob_shapes)}",
                fix="give the weights as well, or write the prototxt alone",
            )
