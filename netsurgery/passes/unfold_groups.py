"""Write convolutions of several groups as ordinary ones, the weights between groups being 0.

conv2: group 2, W (256, 48, 5, 5)      becomes      conv2: W (256, 96, 5, 5), half of it 0
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..errors import RewriteError
from ..net import Layer, Net, as_names


def unfold_groups(net: Net, only: Collection[str] | None = None) -> Net:
    """The net whose convolutions (those in `only`, if given) have one group. Numbers stay; the weights grow by the number of groups.

    Raises: RewriteError for a layer in `only` that has no groups.
    """
    only = None if only is None else as_names(only)
    for name in only or ():
        layer = net[name]
        if layer.kind.ungrouped(layer.params, layer.weights) is None:
            raise RewriteError("has no groups", layer=layer, expected="a convolution with group above 1")
    return net.with_layers(x if only is not None and x.name not in only else _unfolded(x) for x in net.layers)


def _unfolded(layer: Layer) -> Layer:
    whole = layer.kind.ungrouped(layer.params, layer.weights)
    if whole is None:
        return layer
    params, weights = whole
    return replace(layer, params=params, weights=weights)
