"""Replace weights by those of another model, by layer name or by a mapping.

fc6-conv: W (4096, 256, 6, 6)      transplant(net, "caffenet.caffemodel", {"fc6-conv": "fc6"}):      fc6-conv: W = W of fc6 (4096, 9216)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from numpy.typing import NDArray

from ..aliases import StrPath
from ..errors import Source, WeightsError
from ..limits import show_shapes
from ..net import Layer, Net
from ..shapes import known_shapes
from ._weights import Blob, with_blobs

Blobs = Sequence[NDArray[Any]]


def transplant(net: Net, donor: Net | StrPath, mapping: Mapping[str, str] | None = None) -> Net:
    """The net with the blobs that the layers of another model have: {layer: donor's layer}, or, without a mapping, those of the same
    name. Blobs of another shape but as many numbers are taken as they lie (InnerProduct to Convolution). What was taken is in
    `net.notes`.

    Raises: WeightsError for blobs that do not fit, or if nothing can be taken.
    """
    stored, name = _blobs(donor)
    pairs = mapping if mapping is not None else {x.name: x.name for x in net.layers if x.name in stored}
    shapes = known_shapes(net)
    new: dict[Blob, NDArray[Any]] = {}
    for target, source in pairs.items():
        layer = net[target]
        if source not in stored:
            raise WeightsError(
                f"there is no layer '{source}' with weights",
                source=Source(name),
                expected=f"one of: {', '.join(list(stored)[:12])}{', ...' if len(stored) > 12 else ''}",
            )
        blob_shapes = [w.shape for w in layer.weights] or layer.blob_shapes(shapes)
        if blob_shapes is None:
            blob_shapes = [b.shape for b in stored[source]]
        elif not blob_shapes and mapping is None:
            continue
        new.update(
            ((target, i), array) for i, array in enumerate(_fitting(layer, blob_shapes, source, stored[source], name))
        )
    if not new:
        raise WeightsError(
            "no layer of the net has a name that is in this file",
            source=Source(name),
            fix="map layers: LAYER=LAYER_OF_THE_FILE",
        )
    taken = dict.fromkeys(layer for layer, _ in new)
    note = f"transplant: weights of {len(taken)} layer{'s' if len(taken) > 1 else ''} taken from {name}: {', '.join(taken)}"
    host = with_blobs(net, new)
    return replace(host, notes=(*net.notes, note))


def _blobs(donor: Net | StrPath) -> tuple[dict[str, Blobs], str]:
    """The blobs of each layer of the donor that has any, and what errors call the donor."""
    if isinstance(donor, Net):
        return {x.name: x.weights for x in donor.layers if x.weights}, donor.files.get("weights", donor.name) or "<net>"
    from ..formats.weights.caffemodel import read_caffemodel

    stored = read_caffemodel(donor)
    return {x.name: [b.array for b in x.blobs if b] for x in stored.layers if any(x.blobs)}, stored.path


def _fitting(layer: Layer, blob_shapes: Sequence[Sequence[Any]], source: str, blobs: Blobs, name: str) -> Blobs:
    """The donor's blobs in the shapes that the layer wants."""
    definite = all(isinstance(n, int) for w in blob_shapes for n in w)
    if not definite or [prod(w) for w in blob_shapes] != [b.size for b in blobs]:
        raise WeightsError(
            f"the blobs of '{source}' in {name} have shapes {show_shapes([b.shape for b in blobs])}",
            layer=layer,
            expected=f"as many numbers as in {show_shapes(blob_shapes)}",
            fix="leave the layer out: map the layers to take, LAYER=LAYER_OF_THE_FILE",
        )
    return [b.reshape(tuple(w)) for w, b in zip(blob_shapes, blobs, strict=True)]
