"""New numbers for the blobs of a net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import WeightsError
from ..formats.weights.attach import shared_name
from ..limits import show_shapes
from ..net import Layer, Net
from ..shapes import known_shapes

Blob = tuple[str, int]
"""(layer name, number of the blob)."""


def as_float32(values: ArrayLike, layer: Layer, index: int) -> NDArray[Any]:
    """The values as float32 array. Raises: WeightsError if they are no real numbers."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise WeightsError(f"blob {index} was given values of type {array.dtype}", layer=layer, expected="real numbers")
    return array if array.dtype == np.float32 else array.astype(np.float32)


def with_blobs(net: Net, blobs: Mapping[Blob, NDArray[Any]]) -> Net:
    """The net with these blobs; layers that share one by name (`param { name }`) get it as well.

    Raises: WeightsError for a blob that the layer does not have, or has in another shape.
    """
    shared = {
        (layer.name, i): name
        for layer in net.layers
        for i in range(len(layer.params.all("param")))
        if (name := shared_name(layer, i))
    }
    of_name = {shared[blob]: array for blob, array in blobs.items() if blob in shared}
    shapes: dict[str, tuple[Any, ...]] | None = None
    layers = []
    for layer in net.layers:
        new = {i: array for (name, i), array in blobs.items() if name == layer.name}
        for (name, i), common in shared.items():
            if name == layer.name and common in of_name:
                new.setdefault(i, of_name[common])
        if new:
            if not layer.weights and shapes is None:
                shapes = known_shapes(net)
            layer = replace(layer, weights=_changed(layer, new, shapes or {}))
        layers.append(layer)
    return net.with_layers(layers)


def _changed(
    layer: Layer, new: Mapping[int, NDArray[Any]], shapes: Mapping[str, tuple[Any, ...]]
) -> tuple[NDArray[Any], ...]:
    blob_shapes = [w.shape for w in layer.weights] or layer.blob_shapes(shapes)
    if blob_shapes is None:
        blob_shapes = [new[i].shape for i in sorted(new)]
    for i, array in new.items():
        if not 0 <= i < len(blob_shapes):
            raise WeightsError(
                f"has no blob {i}", layer=layer, expected=f"{len(blob_shapes)} blobs: {show_shapes(blob_shapes)}"
            )
        if array.ndim != len(blob_shapes[i]) or any(
            isinstance(w, int) and w != n for w, n in zip(blob_shapes[i], array.shape, strict=True)
        ):
            raise WeightsError(
                f"blob {i} was given the shape {show_shapes([array.shape])}",
                layer=layer,
                expected=show_shapes([blob_shapes[i]]),
            )
    if not layer.weights and len(new) < len(blob_shapes):
        missing = min(set(range(len(blob_shapes))) - set(new))
        raise WeightsError(
            f"was given no blob {missing}, and has none yet",
            layer=layer,
            expected=f"all of its blobs: {show_shapes(blob_shapes)}",
        )
    blobs = {**dict(enumerate(layer.weights)), **new}
    return tuple(blobs[i] for i in range(len(blob_shapes)))
