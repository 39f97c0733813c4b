"""Put an array in place of a layer's blob.

conv1: W (96, 3, 11, 11), b (96)      set_weights(net, "conv1", 0, kernels):      conv1: W = kernels, b (96)
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from ..net import Net
from ._weights import as_float32, with_blobs


def set_weights(net: Net, layer: str, index: int, values: ArrayLike) -> Net:
    """The net whose layer has `values`, as float32, as blob number `index` (0: weights, 1: bias; BatchNorm: mean, variance, factor).
    Layers that share the blob by name get it as well.

    Raises: WeightsError for a blob that the layer does not have, or values of another shape.
    """
    return with_blobs(net, {(layer, index): as_float32(values, net[layer], index)})
