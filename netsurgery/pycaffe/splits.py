"""The layers of a net as Caffe runs them: with a Split behind every blob that several layers read, or that is read and counts as a loss.

    conv1 -> relu_a, relu_b      becomes      conv1 -> conv1_conv1_0_split -> conv1_conv1_0_split_0 -> relu_a, .._1 -> relu_b

Source: BVLC/caffe src/caffe/util/insert_splits.cpp (names and order of the blobs)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..message import Field, Message
from .errors import CaffeError

Place = tuple[int, int]
"""A top: number of the layer, number of the top."""


def insert_splits(layers: Sequence[Message]) -> list[Message]:
    """Raises: CaffeError for a bottom that no layer before writes."""
    sources, readers, losses = _uses(layers)
    taken: Counter[Place] = Counter()
    result: list[Message] = []
    for number, layer in enumerate(layers):
        bottoms = []
        for index, blob in enumerate(layer.all("bottom")):
            place = sources[number, index]
            if readers[place] > 1:
                bottoms.append(f"{_split_name(layers, place)}_{taken[place]}")
                taken[place] += 1
            else:
                bottoms.append(blob)
        layer = _with_bottoms(layer, bottoms)
        splits = []
        for index in range(len(layer.all("top"))):
            place = number, index
            if readers[place] > 1:
                if losses.get(place):
                    layer = layer.without("loss_weight")
                    taken[place] += 1
                splits.append(_split(layers, place, readers[place], losses.get(place, 0.0)))
        result += [layer, *splits]
    return result


def _uses(layers: Sequence[Message]) -> tuple[dict[Place, Place], Counter[Place], dict[Place, float]]:
    """Which top each bottom reads, how often each top is used, and the tops that have a loss weight."""
    last: dict[str, Place] = {}
    sources: dict[Place, Place] = {}
    readers: Counter[Place] = Counter()
    losses: dict[Place, float] = {}
    for number, layer in enumerate(layers):
        for index, blob in enumerate(layer.all("bottom")):
            if blob not in last:
                raise CaffeError(
                    f"bottom '{blob}' is not written by any layer before it",
                    layer=f"'{layer.last('name', '')}' ({layer.last('type', '')})",
                    source=layer.source,
                    expected=f"one of: {', '.join(list(last)[-8:]) or 'an input (the net has none)'}",
                )
            sources[number, index] = last[blob]
            readers[last[blob]] += 1
        tops = layer.all("top")
        for index, blob in enumerate(tops):
            last[blob] = number, index
        for blob, weight in zip(tops, layer.all("loss_weight"), strict=False):
            losses[last[blob]] = weight
            if weight:
                readers[last[blob]] += 1
    return sources, readers, losses


def _split_name(layers: Sequence[Message], place: Place) -> str:
    number, index = place
    layer = layers[number]
    return f"{layer.all('top')[index]}_{layer.last('name', '')}_{index}_split"


def _split(layers: Sequence[Message], place: Place, count: int, loss: float) -> Message:
    number, index = place
    name = _split_name(layers, place)
    fields = [Field("name", name), Field("type", "Split"), Field("bottom", layers[number].all("top")[index])]
    fields += [Field("top", f"{name}_{k}") for k in range(count)]
    if loss:
        fields += [Field("loss_weight", loss if k == 0 else 0.0) for k in range(count)]
    return Message("LayerParameter", tuple(fields), layers[number].source)


def _with_bottoms(layer: Message, bottoms: Sequence[str]) -> Message:
    if bottoms == layer.all("bottom"):
        return layer
    return layer.with_fields(*(Field("bottom", blob) for blob in bottoms))
