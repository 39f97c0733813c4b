"""Inputs whose shapes are given when a net is read: of any top that nobody here can compute, and of what no layer writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches
from math import prod

from ..aliases import InputShapes
from ..errors import ShapeError
from ..kind import Kind
from ..layers import make_layer
from ..message import Field, Message
from ..net import Net
from ..shapes import known_shapes

Shapes = InputShapes


def declare_inputs(fields: Sequence[Field], shapes: Shapes, notes: list[str]) -> list[Field]:
    """The `layer` fields of a V2 net with an Input layer for each top of `shapes` that has no usable shape: of a data layer; of a layer
    without bottoms that is not known, or says what is not understood; of an Input that declares none, or one that is none; of a bottom
    that no layer writes. A data layer of which some axes have only a name stays, for `deploy`.
    """
    if not shapes:
        return list(fields)
    written = {top for f in fields for top in f.value.all("top")}
    read = {bottom for f in fields if f.value.last("type") != "Silence" for bottom in f.value.all("bottom")}
    idle: set[str] = set()
    layers: list[Field] = []
    for name in shapes:
        if name in read and name not in written:
            layers.append(_input(name, name, shapes[name], fields[0]))
            notes.append(f"input '{name}' made: no layer writes it")
    for f in fields:
        layer: Message = f.value
        tops = [str(top) for top in layer.all("top")]
        asked = [top for top in tops if top in shapes]
        kind = _kind(layer, tops)
        if not asked or layer.has("bottom") or (kind is not None and not all(map(_whole, map(shapes.get, asked)))):
            layers.append(f)
            continue
        if kind is not None and layer.last("type") == "Input":
            layers.append(f)
            continue
        declared = kind.declared(len(tops)) if kind is not None else [None] * len(tops)
        items = shapes[asked[0]][:1]  # of labels as many as of images
        beside = [(*items, *own[1:]) if own else None for own in declared]
        shape_of = {top: shapes.get(top, own) for top, own in zip(tops, beside, strict=True)}
        unknown = kind is None and layer.last("type") != "Input"
        others = [top for top in tops if top not in asked]
        rest = others if unknown and not read.isdisjoint(others) else []  # what nobody reads goes
        for top in (t for t in tops if t not in rest and (t in asked or t in read)):
            name = str(layer.last("name", top)) if top == asked[0] else top
            layers.append(_input(name, top, shape_of[top], f, layer if top == tops[0] else None))
        idle.update(t for t in tops if t not in rest and t not in asked and t not in read)
        if rest:
            rest_fields = [g for g in layer.fields if g.name != "top" or g.value in rest]
            layers.append(replace(f, value=replace(layer, fields=tuple(rest_fields), text="")))
        if layer.last("type") != "Input":
            notes.append(f"layer '{layer.last('name', '')}' ({layer.last('type', '')}) became input {', '.join(asked)}")
        if kind is not None and kind.preparation and tops[0] in asked:
            notes.append(f"input '{tops[0]}' is expected as the layer prepared it: {kind.preparation}")
    return [f for f in (_without_silenced(f, idle) for f in layers) if f is not None]


def _without_silenced(f: Field, idle: Collection[str]) -> Field | None:
    """A Silence without the bottoms that are not made, None without any; other layers as they are."""
    layer: Message = f.value
    if layer.last("type") != "Silence" or not any(b in idle for b in layer.all("bottom")):
        return f
    fields = tuple(g for g in layer.fields if g.name != "bottom" or g.value not in idle)
    return replace(f, value=replace(layer, fields=fields, text="")) if any(g.name == "bottom" for g in fields) else None


def _whole(shape: Sequence[int | str | None] | None) -> bool:
    return shape is not None and all(isinstance(n, int) for n in shape)


def _kind(layer: Message, tops: Sequence[str]) -> Kind | None:
    """What the layer says, if it is understood, and an Input if it declares shapes that are ones."""
    type = str(layer.last("type", ""))
    if layer.has("bottom"):
        return None
    kind = make_layer("", type, (), tops, layer.without("name", "type", "top")).kind
    if type != "Input" or not kind.is_supported:
        return kind if kind.is_supported and kind.is_input else None
    try:
        declared = kind.declared(len(tops))
    except ShapeError:
        return None
    return kind if all(shape is not None and all(n > 0 for n in shape) for shape in declared) else None


PIXELS = ("transform_param", "image_data_param")
"""What says how a data layer prepares its images: an Input in its place keeps it."""


def _input(
    name: str, top: str, shape: Sequence[int | str | None] | None, place: Field, data: Message | None = None
) -> Field:
    """An Input layer; without a shape, which stays open, where an axis has no number."""
    fields = [Field("name", name), Field("type", "Input"), Field("top", top)]
    fields += [f for f in data.fields if f.name in PIXELS] if data is not None else []
    if shape is not None and _whole(shape):
        sizes = Message("BlobShape", tuple(Field("dim", n) for n in shape), place.source)
        fields.append(Field("input_param", Message("InputParameter", (Field("shape", sizes),), place.source)))
    return Field("layer", Message("LayerParameter", tuple(fields), place.source), place.source)


def require_inputs(net: Net, shapes: Shapes) -> None:
    """Raises: ShapeError for a name that is no input of the net."""
    for name in shapes:
        if name in net.inputs:
            continue
        near = get_close_matches(name, net.inputs, n=1)
        writer = next((layer for layer in net.layers if name in layer.tops), None)
        raise ShapeError(
            f"'{name}' is no input: layer {writer.title} computes it" if writer else f"the net has no input '{name}'",
            source=writer.source if writer else net.source,
            expected=f"one of: {', '.join(net.inputs)}",
            fix=f"did you mean '{near[0]}'?" if near and not writer else "",
        )


def with_declared(net: Net, shapes: Shapes) -> Net:
    """The net whose Input layers declare the shapes that are given in numbers, where all of its weights fit; where they do not, the
    shapes of the file stay, and a note says so."""
    other = {
        name: tuple(n for n in shape if isinstance(n, int))
        for name, shape in shapes.items()
        if net.writer(name).type == "Input" and all(isinstance(n, int) for n in shape)
    }
    other = {name: shape for name, shape in other.items() if net.inputs[name] not in (None, shape)}
    if not other:
        return net
    candidate = net
    for layer in net.layers:
        if other.keys() & set(layer.tops):
            declared = dict(zip(layer.tops, layer.kind.declared(len(layer.tops)), strict=True))
            declared = {**declared, **{top: shape for top, shape in other.items() if top in declared}}
            sizes = [_shape(shape) for shape in declared.values() if shape is not None]
            param = Field("input_param", Message("InputParameter", tuple(sizes)))
            changed = make_layer(
                layer.name, "Input", (), layer.tops, layer.params.with_fields(param), source=layer.source
            )
            candidate = candidate.with_layers(changed if x is layer else x for x in candidate.layers)
    try:
        at = known_shapes(candidate)
        for layer in candidate.layers:
            if layer.weights:
                _require_fit([w.shape for w in layer.weights], layer.blob_shapes(at) or ())
    except ShapeError:
        told = ", ".join(f"'{name}' {'x'.join(map(str, shape))}" for name, shape in other.items())
        note = f"the declared shapes of inputs stay for now: the weights do not fit at {told}"
        return replace(net, notes=(*net.notes, note))
    return candidate


def _shape(shape: Sequence[int]) -> Field:
    return Field("shape", Message("BlobShape", tuple(Field("dim", n) for n in shape)))


def _require_fit(blob_shapes: Sequence[tuple[int, ...]], expected: Sequence[Sequence[object]]) -> None:
    """Raises: ShapeError if blobs have other numbers of values than they must."""
    for blob, shape in zip(blob_shapes, expected, strict=False):
        values = prod(n if isinstance(n, int) else 0 for n in shape)
        if values not in (0, prod(blob)):
            raise ShapeError("blobs of other sizes")
