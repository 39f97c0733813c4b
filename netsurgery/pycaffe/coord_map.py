"""caffe.coord_map: how places of one blob of a NetSpec lie over places of another.

A map (axis, scale, shift) takes coordinate i of a layer's bottom to scale * i + shift of its top; axis is the one
before the first spatial axis, or None where it does not matter.

    Convolution, Pooling, Im2col   1 / stride, (pad - (k - 1) / 2) / stride        k = (kernel_size - 1) dilation + 1
    Deconvolution                  stride, (k - 1) / 2 - pad
    Crop                           1, -offset
    layers that change no place    1, 0

Source: BVLC Caffe, python/caffe/coord_map.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .net_spec import Function, Top
from .net_spec import layers as L  # noqa: N812, what Caffe's users call it

Map = tuple[Any, Any, Any]

PASS_THROUGH_LAYERS = [
    *("AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Log", "LRN", "Exp", "MVN", "Power"),
    *("ReLU", "PReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold"),
]

_IDENTITY: Map = (None, 1, 0)


class UndefinedMapException(Exception):  # noqa: N818, Caffe's name
    """The layer's places cannot be mapped."""


class AxisMismatchException(Exception):  # noqa: N818, Caffe's name
    """The maps are of different axes."""


def conv_params(fn: Function) -> tuple[Any, Any, Any, Any]:
    """(axis, stride, k, pad) of a layer with a window, k with dilation: an array for each of the last three.

    Raises: KeyError without kernel_size; AssertionError for the parameters by side, such as kernel_h.
    """
    params = fn.params.get("convolution_param", fn.params)
    kernel, stride, pad, dilation = (
        np.array(value, ndmin=1)
        for value in (params["kernel_size"], params.get("stride", 1), params.get("pad", 0), params.get("dilation", 1))
    )
    if by_side := {f"{what}_{side}" for what in ("pad", "kernel", "stride") for side in "hw"} & set(fn.params):
        raise AssertionError(f"places cannot be mapped with {', '.join(sorted(by_side))}: give one list for all sides")
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[Any, Any]:
    """(axis, offset) of a Crop."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map from a layer's bottom to its top. Raises: UndefinedMapException."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    if fn.type_name in PASS_THROUGH_LAYERS:
        return _IDENTITY
    raise UndefinedMapException(f"places cannot be followed through {fn.type_name}")


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that does next_map first: scale a1 a2, shift a1 b2 + b1. Raises: AxisMismatchException."""
    (axis, a1, b1), (other, a2, b2) = base_map, next_map
    if axis is None:
        axis = other
    elif other is not None and axis != other:
        raise AxisMismatchException(f"axis {axis} and axis {other}")
    return axis, a1 * a2, a1 * b2 + b1


def inverse(coord_map: Map) -> Map:
    """The map from top to bottom: scale 1 / a, shift -b / a."""
    axis, a, b = coord_map
    return axis, 1 / a, -b / a


def _walk(top: Top) -> Iterator[tuple[Top, Map]]:
    """Every top that this one is computed from by layers that can be mapped, itself first, with the map from there."""
    maps = {top: _IDENTITY}
    frontier = [top]
    while frontier:
        current = frontier.pop()
        yield current, maps[current]
        # what a Crop cuts to says nothing of where its values are from
        bottoms = current.fn.inputs[:1] if current.fn.type_name == "Crop" else current.fn.inputs
        for bottom in bottoms:
            try:
                step = coord_map(current.fn)
            except UndefinedMapException:
                break
            step = compose(maps[current], step)
            # all ways to a blob give one map, but one through layers that change no place does not know the axis
            if bottom not in maps or (maps[bottom][0] is None and step[0] is not None):
                maps[bottom] = step
                frontier.append(bottom)


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from one top to another by way of a blob that both are computed from.

    Raises: RuntimeError if layers that can be mapped do not connect them; AxisMismatchException; KeyError for a window
    without kernel_size.
    """
    from_maps = dict(_walk(top_from))
    for top, to_map in _walk(top_to):
        if top in from_maps:
            return compose(to_map, inverse(from_maps[top]))
    raise RuntimeError("no map between the tops: layers that can be mapped do not connect them")


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts top_from to what lies over top_to.

    Raises: AssertionError if their scales differ, or if the offset is negative or no whole number.
    """
    axis, a, b = coord_map_from_to(top_from, top_to)
    if not np.all(a == 1):
        raise AssertionError(f"a crop needs blobs of one scale: {a}")
    if not np.all(b <= 0):
        raise AssertionError(f"a crop cannot begin before its bottom: offset {-b}")
    if not np.all(np.round(b) == b):
        raise AssertionError(f"a crop cannot begin between pixels: offset {-b}")
    cut: Top = L.Crop(
        top_from, top_to, crop_param={"axis": axis + 1, "offset": [int(n) for n in np.atleast_1d(-np.round(b))]}
    )
    return cut
