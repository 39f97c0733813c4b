"""Let poolings that take in the whole map slide over larger ones.

pool5 (Pooling, global_pooling: true)               on (N, 512, 7, 7) -> (N, 512, 1, 1), on (N, 512, 9, 9) -> (N, 512, 1, 1)
becomes
pool5 (Pooling, kernel_size: 7, stride: 1)          on (N, 512, 7, 7) -> (N, 512, 1, 1), on (N, 512, 9, 9) -> (N, 512, 3, 3)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..layers.pooling import Pooling
from ..net import Layer, Net

Shapes = Mapping[str, tuple[Any, ...]]


def whole_map(layer: Layer, shapes: Shapes) -> Pooling | None:
    """The kind of a Pooling that sees all of a map, larger than one position, at the declared size."""
    kind = layer.kind
    if not isinstance(kind, Pooling):
        return None
    sizes, out = shapes[layer.bottoms[0]][2:], shapes[layer.tops[0]][2:]
    covers = kind.global_pooling
    if not covers:
        at = kind.windows(len(sizes) + 2)
        covers = all(k - p >= n for k, p, n in zip(at.extent, at.pad, sizes, strict=True))
    return kind if covers and set(out) == {1} and set(sizes) != {1} else None


def slide_pools(net: Net, shapes: Shapes) -> tuple[Net, frozenset[str]]:
    """The net in which every Pooling of the whole map, of `shapes` at the declared size, is one with a kernel of that size and
    stride 1; and the tops of those that changed. Poolings whose result weighs a map again (squeeze and excitation) stay as they are, and
    AVE ones whose padding counts.
    """
    layers = [
        _slid(layer, pool, shapes[layer.bottoms[0]][2:])
        if (pool := whole_map(layer, shapes)) and not gates(net, layer, shapes)
        else layer
        for layer in net.layers
    ]
    return net.with_layers(layers), frozenset(
        new.tops[0] for new, old in zip(layers, net.layers, strict=True) if new is not old
    )


def _slid(layer: Layer, pool: Pooling, sizes: tuple[int, ...]) -> Layer:
    if not pool.global_pooling:
        at = pool.windows(len(sizes) + 2)
        if (pool.method == "AVE" and any(at.pad)) or max(at.dilation) > 1:
            return layer
        if at.kernel == sizes and set(at.stride) == {1} and not any(at.pad):
            return layer
    return replace(layer, params=pool.with_window(layer.params, sizes))


def gates(net: Net, pool: Layer, shapes: Shapes) -> bool:
    """Whether what the pooling gives meets a map again that it did not come through."""
    reached = set(pool.tops)
    for layer in net.layers:
        if layer is not pool and reached.intersection(layer.bottoms):
            reached.update(layer.tops)
            others = [shapes[b] for b in layer.bottoms if b not in reached]
            if any(len(shape) > 2 and set(shape[2:]) != {1} for shape in others) and not layer.kind.has_labels:
                return True
    return False
