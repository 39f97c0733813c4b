"""Fold BatchNorm, Scale, Bias and Power 1 into the Convolution, Deconvolution or InnerProduct before them, or into what is behind them.

conv1@conv1 = W x + b                                     conv1 = (W g) x + (b g + h)
conv1@bn1 = conv1@conv1 * s + t       becomes             with g = s u and h = t u + v
conv1 = conv1@bn1 * u + v                                 per output channel

concat@bn1 = concat * s + t           becomes             concat@scale1 = concat * g + h
concat@scale1 = concat@bn1 * u + v
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from ..layers.core import Shape
from ..net import Layer, Net, as_names, require_net
from ..shapes import known_shapes


def fold_scale(net: Net, keep: Collection[str] = ()) -> Net:
    """The net in which every per-channel factor and summand that follows a linear layer is part of that layer's weights (computed in
    float64, stored as float32), else of those of a Scale or a linear layer without padding behind it. Folded only where the first one's
    top has no other reader and is not in `keep`: exact up to float32 rounding."""
    require_net(net)
    keep = as_names(keep)
    readers: dict[str, int] = {}
    for layer in net.layers:
        for blob in layer.bottoms:
            readers[blob] = readers.get(blob, 0) + 1
    shapes = cache(lambda: known_shapes(net))
    layers: list[Layer] = []
    writer: dict[str, int] = {}
    for layer in net.layers:
        folded = None
        if len(layer.bottoms) == 1 and len(layer.tops) == 1:
            (bottom,) = layer.bottoms
            at = writer.get(bottom)
            if at is not None and readers[bottom] == 1 and bottom not in keep:
                folded = _folded(layers[at], layer) or _taken_in(layers[at], layer, shapes)
                if folded is not None:
                    layers[at] = folded
                    writer[layer.tops[0]] = at
        if folded is None:
            layers.append(layer)
            for top in layer.tops:
                writer[top] = len(layers) - 1
    return net.with_layers(layers)


def _folded(linear: Layer, affine: Layer) -> Layer | None:
    """One layer for the two, or None."""
    if len(linear.tops) != 1 or not linear.weights:
        return None
    change = affine.kind.affine(affine.weights)
    if change is None:
        return None
    absorbed = linear.kind.absorb(linear.params, linear.weights, *change)
    if absorbed is None:
        return None
    params, weights = absorbed
    return replace(linear, tops=affine.tops, params=params, weights=weights)


def _taken_in(affine: Layer, second: Layer, shapes: Callable[[], Mapping[str, Shape]]) -> Layer | None:
    """The second layer with what the first one does to its bottom in its own weights, or None."""
    change = affine.kind.affine(affine.weights)
    if change is None or not second.weights:
        return None
    shape = shapes().get(second.bottoms[0], ())
    if len(shape) < 2 or not isinstance(channels := shape[1], int):
        return None
    scale, shift = (np.broadcast_to(numbers, (channels,)) for numbers in change)
    taken = second.kind.absorb_input(second.params, second.weights, shape, range(channels), scale, shift)
    if taken is None or not taken[2]:
        return None
    return replace(second, bottoms=affine.bottoms, params=taken[0], weights=taken[1])
