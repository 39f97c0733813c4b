"""The text of layers that became several operators, left in the NetDef (formats/netdef/groups.py says why and how)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...formats.netdef.groups import tell_group
from ...formats.netdef.operators import OPERATORS
from ...formats.prototxt.write import write_message
from ...layers.core.params import IRRELEVANT, IRRELEVANT_OF_LAYER
from ...message import Field, Message
from ...net import Layer, Net
from ..builder import Array, Operation, Value

SMALL = 4096
"""Blobs up to so many numbers are written for the way back alone, where no operator reads them as they are."""


def tell_layers(
    predict: Any,
    net: Net,
    read: Mapping[str, Sequence[Value]],
    operators: Sequence[Operation],
    parameters: Mapping[str, Array],
) -> dict[str, Array]:
    """Leaves the text of every layer that became several operators, or one that stands for no layer, and whose blobs are among the
    parameters as they are. `read` are the bottoms of layers; those that are constants and no parameters yet are given back."""
    more: dict[str, Array] = {}
    owners = [operator.layer for operator in operators]
    counts = Counter(owners)
    places = {name: i for i, name in reversed(list(enumerate(owners)))}
    for layer in net.layers:
        count = counts[layer.name]
        if not count:
            continue
        first = places[layer.name]
        mine = operators[first : first + count]
        if any(x.layer != layer.name for x in mine) or (count == 1 and mine[0].type in OPERATORS):
            continue
        blobs: list[str | None] = []
        for i, array in enumerate(layer.weights):
            holder = _holder(array, mine)
            if holder is None and array.size <= SMALL:  # no operator reads it as it is
                holder = f"{layer.name}_blob{i}"
                more[holder] = array
            blobs.append(holder)
        if None not in blobs:
            text = _layer_text(layer, [x.name for x in read[layer.name]])
            tell_group(predict, layer.name, text, first, count, [blob for blob in blobs if blob is not None])
            constants = {x.name: x.value for x in read[layer.name] if x.value is not None}
            more |= {name: value for name, value in constants.items() if name not in parameters}
    return more


def _holder(blob: Array, operators: Sequence[Operation]) -> str | None:
    """The parameter that is a layer's blob, in whatever shape."""
    place = blob.__array_interface__["data"][0]
    for operator in operators:
        for x in operator.reads():
            same = x.value is not None and x.value.dtype == blob.dtype and x.value.size == blob.size
            if (
                same
                and x.value is not None
                and x.value.flags.c_contiguous
                and x.value.__array_interface__["data"][0] == place
            ):
                return x.name
    return None


def _layer_text(layer: Layer, bottoms: Sequence[str]) -> str:
    """The layer as prototxt, its bottoms called as in the NetDef, without what only training reads."""
    fields = [Field("name", layer.name), Field("type", layer.type)]
    fields += [Field("bottom", name) for name in bottoms] + [Field("top", name) for name in layer.tops]
    fields += [_plain(f) for f in layer.params.fields if f.name not in IRRELEVANT_OF_LAYER]
    whole = Message("NetParameter", (Field("layer", Message("LayerParameter", tuple(fields))),))
    return write_message(whole)


def _plain(f: Field) -> Field:
    """A field without comments, and without what says how blobs are filled."""
    value = f.value
    if isinstance(value, Message):
        value = replace(value, fields=tuple(_plain(inner) for inner in value.fields if inner.name not in IRRELEVANT))
    return Field(f.name, value)
