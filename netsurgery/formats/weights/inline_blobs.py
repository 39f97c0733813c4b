"""Weights that stand in a prototxt itself, in its layers: Caffe takes them, and lets a weights file replace them.

Source: include/caffe/layer.hpp (Layer's constructor), src/caffe/blob.cpp (FromProto)
"""

from __future__ import annotations

from math import prod

import numpy as np

from ...errors import WeightsError
from ...message import Message
from .blob import MAX_AXES, StoredBlob
from .model_file import ModelFile, StoredLayer

_LEGACY = ("num", "channels", "height", "width")


def read_inline(net: Message) -> ModelFile | None:
    """The blobs that layers of a V2 net hold; None if none do.

    Raises: WeightsError for values that do not fit their shape.
    """
    layers = []
    for layer in net.all("layer"):
        if blobs := layer.all("blobs"):
            name, type = str(layer.last("name", "")), str(layer.last("type", ""))
            stored = tuple(_blob(blob, i, f"'{name}' ({type})") for i, blob in enumerate(blobs))
            layers.append(StoredLayer(name, type, stored, layer.source))
    if not layers:
        return None
    precision = frozenset(blob.precision for layer in layers for blob in layer.blobs if blob)
    return ModelFile(net.source.file, "", tuple(layers), "V2", precision)


def _blob(blob: Message, index: int, layer: str) -> StoredBlob:
    legacy = any(blob.has(name) for name in _LEGACY)
    dims = [blob.last(name, 0) for name in _LEGACY] if legacy else blob.last("shape", Message()).all("dim")
    values, precision = blob.all("double_data"), "float64"
    if not values:
        values, precision = blob.all("data"), "float32"
    fits = len(dims) <= MAX_AXES and all(n >= 0 for n in dims) and prod(dims) == len(values)
    if not fits or blob.has("raw_data"):
        raise WeightsError(
            f"blob {index} of shape {'x'.join(map(str, dims)) or 'one value'} holds {len(values)} values",
            layer=layer,
            source=blob.source,
            expected="as many values as the shape says, in data or double_data",
        )
    with np.errstate(over="ignore"):
        array = np.array(values, np.float64).astype(np.float32).reshape(dims)
    array.flags.writeable = False
    return StoredBlob(array, legacy, precision)
