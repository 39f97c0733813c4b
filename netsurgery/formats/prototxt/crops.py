"""The offsets of Crop layers that take them from the net: what a longjon/caffe net leaves unsaid.

Each layer on the way maps a position of its top to one of its first bottom: stride * position + offset of the window's middle. Both
bottoms of the Crop are followed up their first bottoms to the blob that they have in common; where the two maps lay equal positions
apart, the first bottom is cut. Source: crop_layer.cpp of longjon/caffe, coord_map.py of pycaffe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from ...errors import NetsurgeryError, UnsupportedError
from ...kind import Refused
from ...layers.core.dims import axis as free_axis
from ...message import Field, Message
from ...net import Layer

Place = tuple[Fraction, Fraction]
"""Where position t of a blob lies in another along one axis: (stride, offset), stride * t + offset."""


def place_crops(layers: Sequence[Layer], auto: bool, notes: list[str]) -> tuple[Layer, ...]:
    """The layers, AutoCrop with its offsets made a Crop, and so is Crop without crop_param if `auto`; else a note says what it would be."""
    writers: dict[str, Layer] = {}
    new = []
    for layer in layers:
        if layer.type == "AutoCrop" or (layer.type == "Crop" and not layer.params.has("crop_param")):
            layer = _placed(layer, writers, auto or layer.type == "AutoCrop", notes)
        writers.update(dict.fromkeys(layer.tops, layer))
        new.append(layer)
    return tuple(new)


def _placed(layer: Layer, writers: Mapping[str, Layer], auto: bool, notes: list[str]) -> Layer:
    try:
        offsets = _offsets(layer, writers)
    except NetsurgeryError as error:
        return replace(layer, kind=Refused(error)) if auto else layer
    shown = " and ".join(map(str, offsets))
    if not auto:
        if any(offsets):
            notes.append(
                f"layer {layer.title} has no crop_param: offset 0, as in BVLC Caffe; in nets of longjon/caffe (HED, early FCN, CRF-RNN) "
                f"it is {shown}: --crop auto"
            )
        return layer
    notes.append(
        f"layer {layer.title} takes its offset from the net, as in longjon/caffe: {shown}"
        + (" (in BVLC Caffe it would be 0)" if any(offsets) else "")
    )
    param = Message("CropParameter", (Field("axis", 2), *(Field("offset", n) for n in offsets)), layer.source)
    params = replace(layer.params.with_fields(Field("crop_param", param)), text="")
    return replace(layer, type="Crop", params=params)


def _offsets(layer: Layer, writers: Mapping[str, Layer]) -> tuple[int, ...]:
    """How far in the first bottom its second one begins, along height and width.

    Raises: UnsupportedError where that is not a whole number, or not known."""
    if len(layer.bottoms) != 2:
        raise _error(layer, f"{len(layer.bottoms)} bottoms", "2")
    first = dict(_up(layer, layer.bottoms[0], writers))
    for blob, second in _up(layer, layer.bottoms[1], writers):
        if blob in first:
            return tuple(_offset(layer, one, other) for one, other in zip(first[blob], second, strict=True))
    raise _error(layer, "its bottoms have no blob in common that both come from", "bottoms of one input")


def _offset(layer: Layer, first: Place, second: Place) -> int:
    if first[0] != second[0]:
        raise _error(layer, f"its bottoms have strides of {first[0]} and {second[0]}", "bottoms of one stride")
    offset = (second[1] - first[1]) / first[0]
    if offset < 0 or offset.denominator != 1:
        raise _error(layer, f"the second bottom begins at {offset} of the first", "a whole number from 0 on")
    return int(offset)


def _up(crop: Layer, blob: str, writers: Mapping[str, Layer]) -> Iterator[tuple[str, list[Place]]]:
    """The blob, and those that it comes from through first bottoms; with its place in each, along height and width."""
    places: list[Place] = [(Fraction(1), Fraction(0))] * 2
    while True:
        yield blob, places
        layer = writers.get(blob)
        if layer is None or not layer.bottoms:
            return
        if not layer.kind.is_supported:
            raise _error(
                crop, f"layer {layer.title} on the way to it is not supported", "layers whose places are known"
            )
        # sizes do not matter here, ranks do
        shapes = [tuple(free_axis(b, i) for i in range(4)) for b in layer.bottoms]
        reach = layer.kind.reach(shapes)[0]
        steps = [
            (Fraction(r.stride), Fraction(r.first + r.last) / 2)
            for r in (reach if reach is not None and len(reach) == 2 else ())
            if r.stride is not None and r.first is not None and r.last is not None
        ]
        if len(steps) != 2:
            raise _error(
                crop, f"layer {layer.title} on the way to it has no places", "Convolution, Pooling and the like"
            )
        places = [(s * stride, s * offset + c) for (s, c), (stride, offset) in zip(steps, places, strict=True)]
        blob = layer.bottoms[0]


def _error(layer: Layer, problem: str, expected: str) -> UnsupportedError:
    return UnsupportedError(
        f"its offset does not follow from the net: {problem}",
        layer=layer,
        expected=expected,
        fix='write it as type: "Crop" with crop_param { axis: 2 offset: ... }',
    )
