"""Files -> Net: the prototxt gives the structure, the weights file the numbers; a caffemodel alone may give both."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import is_
from typing import TYPE_CHECKING, Any

from .. import _proto
from ..aliases import InputShapes, StrPath
from ..errors import ParseError, Source, UnsupportedError
from ..files.boundary import read_file
from ..files.mapped import Identity, identity
from ..files.memory import uncollected
from ..files.signatures import HEAD, describe_wrong_text, is_binary, is_netdef
from ..kind import Refused
from ..layers import load_plugin, make_layer
from ..layers.core.custom import custom_op
from ..layers.core.params import IRRELEVANT_OF_NET
from ..layers.core.suggest import meant_field
from ..message import Field, Message
from ..net import IDENTITY, Layer, Net
from .declared_inputs import declare_inputs, require_inputs, with_declared
from .missing import require_net, require_writers, what_brings
from .options import Reading
from .origin import origin
from .prototxt.characters import MAX_BYTES
from .prototxt.crops import place_crops
from .prototxt.dialects import replacements
from .prototxt.phases import filter_net
from .prototxt.template import fill_template
from .prototxt.text import parse
from .prototxt.trust import distrust
from .prototxt.typed import resolve
from .prototxt.upgrade import upgrade
from .prototxt.versions import Memory, name_versions, without_splits
from .prototxt.write import original_text
from .weights.attach import attach
from .weights.inline_blobs import read_inline

if TYPE_CHECKING:
    from ..layers.core.layer_type import LayerType
    from .weights.model_file import ModelFile


DEFAULT = Reading()


def load(
    prototxt: StrPath,
    weights: StrPath | None = None,
    *,
    phase: str = "TEST",
    level: int = 0,
    stages: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    layers: Mapping[str, type[LayerType]] | None = None,
    ignore_unknown: bool = False,
    input_shapes: InputShapes | None = None,
    initialize_missing: bool = False,
    seed: int = 0,
    crop: str = "caffe",
    dialect: str = "",
) -> Net:
    """Reads a net: a prototxt of any vintage and, if given, the weights that belong to it; or a caffemodel (any binary NetParameter)
    alone; or two NetDefs of Caffe2's, init_net.pb and predict_net.pb.

    `phase`, `level` and `stages` select layers by their include and exclude rules, as Caffe does. `settings` fills the placeholders
    of a template. `layers` replaces layer types by others for this net. `ignore_unknown` passes over fields of unknown meaning (listed
    in `net.notes`). `input_shapes` gives shapes to inputs, and makes inputs of tops that nobody here can compute. Layers whose weights
    the weights file lacks are an error, unless the prototxt says exactly how to fill them or `initialize_missing` lets them be filled
    by numbers drawn from `seed`. `crop` "auto" lets Crop layers without crop_param take their offset from the net, as in longjon/caffe.
    `dialect` names the fork whose layers are meant where several forks share a name and no field tells (prototxt.dialects). Layers
    that netsurgery does not support are kept: the error comes when they are needed.

    Raises: ParseError, WeightsError, ShapeError, NetsurgeryError.
    """
    return read_net(
        prototxt,
        weights,
        Reading(
            input_shapes=input_shapes or {},
            phase=phase,
            level=level,
            stages=stages,
            settings=settings,
            ignore_unknown=ignore_unknown,
            initialize_missing=initialize_missing,
            seed=seed,
            layers=layers or {},
            crop=crop,
            dialect=dialect,
        ),
    )


@uncollected()
def read_net(prototxt: StrPath, weights: StrPath | None = None, reading: Reading = DEFAULT) -> Net:
    """`load`, its options as one value. Weights are not made up here (`reading.initialize`): see passes.prepare.

    Raises: what `load` does."""
    path = os.fspath(prototxt)
    for plugin in reading.plugins:
        load_plugin(plugin)
    if is_netdef(path):
        from .netdef.load import load_netdef

        return load_netdef(path, weights, reading.input_shapes)
    before = identity(path)
    if is_binary(read_file(path, HEAD)):
        return _load_binary(path, weights, reading)
    data = read_file(path, MAX_BYTES + 1)
    if wrong := describe_wrong_text(data[:HEAD]):
        raise ParseError(wrong[0], source=Source(path), expected="a prototxt or a .caffemodel", fix=wrong[1])
    settings = reading.settings
    text = data if settings is None else fill_template(data.decode("utf-8", "surrogateescape"), settings)
    return _load_text(text, path, weights, reading, before)


@uncollected()
def from_text(text: str | bytes, path: str = "", weights: StrPath | None = None, **options: Any) -> Net:
    """`load` for text in memory; `path` is what errors call it. `options` are those of `load`."""
    return _load_text(text, path, weights, Reading(**options))


def _load_text(
    text: str | bytes, path: str, weights: StrPath | None, reading: Reading, prototxt: Identity | None = None
) -> Net:
    message = resolve(parse(text, path), "NetParameter")
    stored = _read_weights(weights) if weights is not None else None
    net = _to_net(message, stored, reading)
    files = {"prototxt": path} if path else {}
    if stored is not None:
        files["weights"] = stored.path
    return _of_files(net, files, {"prototxt": prototxt, "weights": stored.identity if stored else None})


def _of_files(net: Net, files: Mapping[str, str], identities: Mapping[str, Identity | None]) -> Net:
    read = {kind: identity for kind, identity in identities.items() if identity is not None}
    return replace(net, files=files, origin=replace(net.origin, identities=read))


def _load_binary(path: str, weights: StrPath | None, reading: Reading) -> Net:
    """A net from a binary NetParameter, which holds its weights unless `weights` does."""
    if weights is not None and not is_binary(read_file(os.fspath(weights), HEAD, "a .caffemodel")):
        raise ParseError(
            "this looks like a binary caffemodel; were the two files swapped?",
            source=Source(path),
            expected="a prototxt: protobuf text",
            fix="give the prototxt first, then the caffemodel",
        )
    if reading.settings:
        raise ParseError(
            f"there is no placeholder '{next(iter(reading.settings))}' in a binary file",
            source=Source(path),
            expected="a prototxt that is a template",
        )
    structure = _read_weights(path)
    stored: ModelFile | None = structure if weights is None else _read_weights(weights)
    if stored is structure and not any(layer.blobs for layer in structure.layers):
        stored = None
    net = _to_net(distrust(structure.message()), stored, reading, binary=True)
    files = {"weights": path} if weights is None else {"prototxt": path, "weights": os.fspath(weights)}
    kinds = {"weights": structure} if weights is None else {"prototxt": structure, "weights": stored or structure}
    return _of_files(net, files, {kind: file.identity for kind, file in kinds.items()})


def _read_weights(path: StrPath) -> ModelFile:
    from .weights.caffemodel import read_caffemodel

    return read_caffemodel(path)


def _to_net(message: Message, stored: ModelFile | None, reading: Reading, binary: bool = False) -> Net:
    """A typed NetParameter of any vintage -> Net: upgraded, filtered, in-place layers resolved, weights attached."""
    read = origin(message, stored, binary)
    message, upgrades = upgrade(message)
    notes = [*upgrades, *_account(message, reading.ignore_unknown)]
    whole = message
    message = _select(message, reading, binary, notes)
    fields = [f for f in message.fields if f.name == "layer"]
    if not fields:
        raise ParseError(
            "no layers are left in this phase" if whole.has("layer") else "no layers",
            source=message.source,
            expected="a net: layer { ... }",
            fix=f"phase is {reading.phase}, level {reading.level}, stages {list(reading.stages)}: bring them back:"
            f" {what_brings(whole, whole.all('layer'), reading)[0] or 'check include and exclude'}"
            if whole.has("layer")
            else "",
        )
    fields = declare_inputs(fields, reading.input_shapes, notes)
    ignored: list[str] = []
    inline = read_inline(message)
    if inline is not None and stored is not None:  # Caffe takes what the net holds, and then what the file holds
        stored = replace(stored, layers=(*inline.layers, *stored.layers))
    own = {
        **replacements(reading.dialect or "", [f.value for f in fields], notes),
        **{type: custom_op(domain) for type, domain in reading.custom_ops.items()},
        **(reading.layers or {}),
    }
    layers = _layers(fields, stored or inline, own, ignored if reading.ignore_unknown else None)
    layers = place_crops(layers, reading.crop == "auto", notes)
    layers = _without_lost_scores(layers, notes)
    require_writers(layers, whole, message, reading)
    if binary:
        layers = without_splits(layers, notes)
    net = Net(layers, str(message.last("name", "")), message.source, (*notes, *ignored), origin=read)
    require_inputs(net, reading.input_shapes)
    if stored is not None:
        net = attach(net, stored, initialize_missing=reading.initialize_missing, seed=reading.seed)
    elif inline is not None:
        net = attach(net, inline, partial=True)
    return with_declared(_expanded(net), reading.input_shapes)


def _expanded(net: Net) -> Net:
    """The net with the layers in place of those that stand for several."""
    layers: list[Layer] = []
    for layer in net.layers:
        several = None if not layer.kind.is_supported else layer.kind.expand(layer)
        layers += [layer] if several is None else several
    return net if len(layers) == len(net.layers) and all(map(is_, layers, net.layers)) else net.with_layers(layers)


def _account(net: Message, ignore_unknown: bool) -> list[str]:
    """Field accounting of the net itself: notes on fields that were passed over.

    Raises: UnsupportedError for a field whose meaning is not known.
    """
    notes = []
    for f in net.fields:
        if f.name in IRRELEVANT_OF_NET:
            continue
        require_net(net)
        near = meant_field(f.name, _proto.message("NetParameter"), _proto.words())
        if not ignore_unknown:
            raise UnsupportedError(
                f"field '{f.name}' of the net is not known",
                source=f.source if str(f.source) else net.source,
                expected="a field that is known",
                fix="give the prototxt: in binary files forks reuse each other's numbers"
                if f.name.startswith("#")
                else f"did you mean '{near}'?"
                if near
                else "--ignore-unknown passes over fields of unknown meaning",
            )
        notes.append(f"{f.source}: field '{f.name}' of the net is not known and was ignored")
    return notes


def _select(net: Message, reading: Reading, binary: bool, notes: list[str]) -> Message:
    """The layers of the phase. A snapshot of a training net holds those of the TRAIN phase alone: they are all there are; only
    those in place go by the rules."""
    selection = filter_net(net, reading.phase, reading.level, reading.stages)
    if not binary or selection is net or filter_net(net, "TRAIN", reading.level, reading.stages) is not net:
        return selection
    of_phase = [f.value for f in selection.fields if f.name == "layer"]
    gone = [
        f
        for f in net.fields
        if f.name == "layer"
        and not any(f.value is layer for layer in of_phase)
        and f.value.has("bottom")
        and f.value.all("top") == f.value.all("bottom")
    ]
    titles = ", ".join(f"'{f.value.last('name', '')}'" for f in gone)
    notes.append(
        "the file holds the net of the TRAIN phase, as snapshots do: all of its layers were taken"
        + (f" but {titles}, which {reading.phase} leaves out" if gone else "")
    )
    return replace(net, fields=tuple(f for f in net.fields if all(f is not g for g in gone)), text="") if gone else net


def _without_lost_scores(layers: Sequence[Layer], notes: list[str]) -> tuple[Layer, ...]:
    """The layers without those that only score, and lack what they score by: deploy nets keep some whose labels are gone."""
    written = {top for layer in layers for top in layer.tops}
    useful = []
    for layer in layers:
        lost = [b for b in layer.bottoms[1:] if b not in written]
        if lost and layer.kind.is_supported and layer.kind.training_only:
            notes.append(f"layer {layer.title} left out: it only scores, and there is no '{lost[0]}'")
        else:
            useful.append(layer)
    return tuple(useful)


def _layers(
    fields: Sequence[Field],
    stored: ModelFile | None,
    layers: Mapping[str, type[LayerType]] | None,
    ignored: list[str] | None,
) -> tuple[Layer, ...]:
    bottoms, tops, in_place = name_versions([f.value for f in fields])
    counts = {layer.name: len(layer.blobs) for layer in stored.layers if layer.blobs} if stored else {}
    net_layers = []
    for f, b, t, doubled in zip(fields, bottoms, tops, in_place, strict=True):
        message = f.value
        name, type = str(message.last("name", "")), str(message.last("type", ""))
        rest = tuple([inner for inner in message.fields if inner.name not in IDENTITY])
        params = Message(message.type, rest, message.place, original_text(f))
        layer = make_layer(
            name, type, b, t, params, source=f.source, layers=layers, ignored=ignored, blob_count=counts.get(name, 0)
        )
        if doubled and not layer.kind.in_place:
            error = UnsupportedError(
                f"top '{doubled}' is also its bottom",
                layer=layer.title,
                source=f.source,
                expected=f"another top: Caffe's {type} does not work in place",
            )
            layer = replace(layer, kind=Refused(error))
        net_layers.append(layer)
    return _refuse_shared(net_layers, [f.value for f in fields])


def _refuse_shared(layers: Sequence[Layer], messages: Sequence[Message]) -> tuple[Layer, ...]:
    """The layers, those refused that in place, or in what they read, would change what others read of the same memory: Caffe's numbers
    are not those of the net as it is written."""
    memory = Memory(layers)
    so_far: list[Layer] = []
    for layer, message in zip(layers, messages, strict=True):
        names = zip(message.all("bottom"), message.all("top"), layer.bottoms, layer.tops, strict=False)
        in_place = {top: bottom for old, new, bottom, top in names if old == new}
        for bottom in in_place.values():
            if other := memory.overwritten(layer, bottom):
                error = UnsupportedError(
                    f"in place it would change '{other}' too, which lies in the same memory in Caffe and is needed later",
                    layer=layer,
                    expected="another top, or a bottom that shares no memory (Split, Reshape, Flatten share it)",
                )
                layer = replace(layer, kind=Refused(error))
        for bottom in (layer.bottoms[i] for i in layer.kind.overwrites):
            if reader := next((later for later in layers[len(so_far) + 1 :] if bottom in later.bottoms), None):
                error = UnsupportedError(
                    f"it changes its bottom '{bottom}', which layer {reader.title} reads after that",
                    layer=layer,
                    expected="that nothing reads the blob later",
                    fix="put what reads it before this layer",
                )
                layer = replace(layer, kind=Refused(error))
        memory.add(layer, in_place)
        so_far.append(layer)
    return tuple(so_far)
