"""Make what is done to the pixels part of the first layers: the net takes the image as it is.

z = (image[RGB -> BGR] - mean) * scale                     conv1 = W' image + b'
conv1 = W z + b                          becomes           with W'[swapped channel] = W scale, b' = b - sum of W scale mean
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import RewriteError, ShapeError
from ..net import Layer, Net
from ..shapes import known_shapes


def fold_preprocessing(
    net: Net,
    *,
    mean: Sequence[float] = (),
    scale: float = 1.0,
    swap_channels: bool = False,
    blob: str | None = None,
    inexact_borders: bool = False,
) -> Net:
    """The net that on an image computes what `net` does on (image - mean) * scale, the order of the channels reversed before that
    (RGB to BGR) if `swap_channels`. `mean` is one value, or one for each channel of `net`; `blob` is the input, if there are several.
    Exact up to float32 rounding.

    A convolution that pads sees zeros, which stand for the mean in `net` and for black in the result: refused, or, with
    `inexact_borders`, accepted.

    Raises: RewriteError for a layer that reads the input and cannot take this in; ShapeError for a mean of another number of channels.
    """
    source = blob if blob is not None else _only_input(net)
    shape = known_shapes(net).get(source)
    if source not in net.inputs or shape is None or len(shape) < 2:
        raise RewriteError(
            f"'{source}' is no input of known shape with channels",
            source=net.source,
            expected=f"one of: {', '.join(net.inputs)}",
        )
    channels = shape[1]
    if len(mean) not in (0, 1, channels):
        raise ShapeError(
            f"{len(mean)} mean values", source=net.source, expected=f"1 or {channels}: one for each channel"
        )
    factor = np.full(channels, scale, np.float64)
    shift = -scale * np.broadcast_to(np.asarray(mean or (0.0,), np.float64), (channels,))
    order = range(channels)[::-1] if swap_channels else range(channels)
    layers = []
    for layer in net.layers:
        if source in layer.bottoms and not _reads_only_size(layer, source, known_shapes(net)):
            layer = _taken_in(layer, shape, order, factor, shift, inexact_borders)
        layers.append(layer)
    return net.with_layers(layers)


def _only_input(net: Net) -> str:
    if len(net.inputs) != 1:
        raise RewriteError(
            f"the net has {len(net.inputs)} inputs",
            source=net.source,
            expected=f"blob=...: one of {', '.join(net.inputs) or 'none'}",
        )
    return next(iter(net.inputs))


def _reads_only_size(layer: Layer, blob: str, shapes: dict[str, tuple[Any, ...]]) -> bool:
    if not layer.kind.is_supported or not all(b in shapes for b in layer.bottoms):
        return False
    reach = layer.kind.reach([shapes[b] for b in layer.bottoms])
    return all(seen is None for b, seen in zip(layer.bottoms, reach, strict=True) if b == blob)


def _taken_in(
    layer: Layer, shape: Sequence[int], order: Sequence[int], scale: np.ndarray, shift: np.ndarray, inexact: bool
) -> Layer:
    taken = None
    if layer.weights and len(layer.bottoms) == 1:
        taken = layer.kind.absorb_input(layer.params, layer.weights, tuple(shape), order, scale, shift)
    if taken is None:
        raise RewriteError(
            "reads the input and cannot take this in",
            layer=layer,
            expected="first layers that are Convolutions or InnerProducts with weights (without groups for swapped channels)",
            fix="do the preprocessing before the net",
        )
    params, weights, exact = taken
    if not exact and not inexact:
        raise RewriteError(
            "pads its bottom with zeros, which stand for the mean; with the mean folded in they stand for black, and what is computed at "
            "the borders changes",
            layer=layer,
            expected="a first convolution without padding",
            fix="subtract the mean before the net, or accept it: inexact_borders=True (inexact-borders on the command line)",
        )
    return replace(layer, params=params, weights=weights)
