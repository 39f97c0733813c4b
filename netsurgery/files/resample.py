"""Images at another size, as the Python side of Caffe had them: by interpolation alone, without the blur that newer
versions of scikit-image put before reducing.

Both ways work along one axis after the other. An output pixel at place x of the input is sum(weight_k * input[index_k]),
and the ways differ in the places, in the weights and in what lies outside:

    warped   1 or 3 channels: x = (i + 1/2) * N / n - 1/2, black outside (so that the border of an enlarged image darkens)
    zoomed   any channels:    x = i * (N - 1) / (n - 1), corners stay corners

Source: BVLC Caffe, python/caffe/io.py; scikit-image 0.14, transform/_warps.py; SciPy, ndimage/interpolation.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Taps = tuple[NDArray[np.intp], Array]
"""Of each output pixel, the input pixels it looks at and what each weighs: (n, k), (n, k)."""

HIGHEST_ORDER = 5
_BORDER = 12  # black pixels that scikit-image's splines see around an image


def resize_image(image: NDArray[Any], size: tuple[int, int], order: int = 1) -> NDArray[np.float32]:
    """caffe.io.resize_image: an image at another size, by interpolation alone.

    Of 1 or 3 channels, the values keep their range, and a border that grows darkens towards the least value; an image of one value stays
    that. Others are zoomed from corner to corner.

    Shapes: (H, W, C), (h, w) -> (h, w, C), float32.
    Raises: ValueError for an order that is not 0 to 5.
    """
    if image.shape[-1] not in (1, 3):
        return zoomed(image, size, order).astype(np.float32)
    low, high = image.min(), image.max()
    # not "high == low": NaN is a value that spreads, here as there
    if not high > low:
        return np.full((*size, image.shape[-1]), low, dtype=np.float32)
    unit = warped((image - low) / (high - low), size, order)
    resized: NDArray[Any] = unit * (high - low) + low
    return resized.astype(np.float32)


def warped(image: NDArray[Any], size: tuple[int, int], order: int) -> Array:
    """An image of 1 or 3 channels whose values span 0 to 1, at another size.

    order: 0 nearest, 1 linear, 3 cubic (Catmull-Rom); 2, 4 and 5 are B-splines through the pixels. Overshoot is cut.

    Shapes: (H, W, ...), (h, w) -> (h, w, ...).
    Raises: ValueError for another order.
    """
    _require_order(order)
    x = image.astype(np.float64)
    for axis, length in enumerate(size):
        count = x.shape[axis]
        places = (np.arange(length) + 0.5) * (count / length) - 0.5
        lines = np.moveaxis(x, axis, 0)
        if order in _LOCAL:
            index, weight = _LOCAL[order](places)
            weight = np.where((index >= 0) & (index < count), weight, 0)
            index = np.clip(index, 0, count - 1)
        else:
            lines = _spline_coefficients(np.pad(lines, [(_BORDER, _BORDER)] + [(0, 0)] * (lines.ndim - 1)), order)
            index, weight = _spline_taps(places + _BORDER, len(lines), order)
        x = np.moveaxis(_weighed(lines, index, weight), 0, axis)
    return np.clip(x, image.min(), image.max())


def zoomed(image: NDArray[Any], size: tuple[int, int], order: int) -> NDArray[Any]:
    """An image of any number of channels at another size, in its own type: whole numbers are rounded.

    order: of the B-spline through the pixels, 0 nearest, 1 linear, to 5.

    Shapes: (H, W, C), (h, w) -> (h, w, C).
    Raises: ValueError for another order.
    """
    _require_order(order)
    x = image.astype(np.float64)
    for axis, length in enumerate(size):
        count = x.shape[axis]
        places = np.arange(length) * ((count - 1) / (length - 1) if length > 1 else 1.0)
        lines = np.moveaxis(x, axis, 0)
        if order > 1:
            lines = _spline_coefficients(lines, order)
        x = np.moveaxis(_weighed(lines, *_spline_taps(places, count, order)), 0, axis)
    if image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        x = np.clip(np.trunc(x + np.copysign(0.5, x)), limits.min, limits.max)
    return x.astype(image.dtype)


def _require_order(order: int) -> None:
    if order not in range(HIGHEST_ORDER + 1):
        raise ValueError(f"interpolation order {order} is not one of 0 to {HIGHEST_ORDER}")


def _weighed(lines: NDArray[Any], index: NDArray[np.intp], weight: Array) -> Array:
    shape = (-1,) + (1,) * (lines.ndim - 1)
    total: Array = lines[index[:, 0]] * weight[:, 0].reshape(shape)
    for k in range(1, index.shape[1]):
        total += lines[index[:, k]] * weight[:, k].reshape(shape)
    return total


def _nearest(places: Array) -> Taps:
    index = np.floor(places + 0.5).astype(np.intp)[:, None]
    return index, np.ones(index.shape)


def _linear(places: Array) -> Taps:
    first = np.floor(places)
    t = places - first
    return first.astype(np.intp)[:, None] + np.arange(2), np.stack([1 - t, t], axis=1)


def _catmull_rom(places: Array) -> Taps:
    """The cubic through two neighbours whose slope at each is half the difference of the pixels beside it."""
    first = np.floor(places)
    t = places - first
    weight = [
        t * (-0.5 + t * (1 - 0.5 * t)),
        1 + t * t * (1.5 * t - 2.5),
        t * (0.5 + t * (2 - 1.5 * t)),
        t * t * (0.5 * t - 0.5),
    ]
    return first.astype(np.intp)[:, None] + np.arange(-1, 3), np.stack(weight, axis=1)


_LOCAL = {0: _nearest, 1: _linear, 3: _catmull_rom}


def _spline_taps(places: Array, count: int, order: int) -> Taps:
    """The coefficients around each place, mirrored at the first and the last, and the B-spline's weights for them."""
    first = np.floor(places if order % 2 else places + 0.5) - order // 2
    index = first.astype(np.intp)[:, None] + np.arange(order + 1)
    weight = _b_spline(places[:, None] - index, order)
    period = max(2 * (count - 1), 1)
    index = np.abs(index) % period
    return np.minimum(index, np.abs(period - index)) if count > 1 else np.zeros_like(index), weight


def _b_spline(x: Array, order: int) -> Array:
    """The cardinal B-spline: sum_k (-1)^k C(p+1, k) max(x + (p+1)/2 - k, 0)^p / p!."""
    if order == 0:
        return np.ones(x.shape)
    terms = (
        (-1) ** k * math.comb(order + 1, k) * np.maximum(x + (order + 1) / 2 - k, 0) ** order for k in range(order + 2)
    )
    return np.asarray(np.sum(np.stack(list(terms)), axis=0) / math.factorial(order), np.float64)


def _spline_coefficients(lines: Array, order: int) -> Array:
    """What the B-splines at the pixels have to weigh so that their sum goes through the pixels (mirrored at the ends)."""
    count = len(lines)
    index, weight = _spline_taps(np.arange(count, dtype=np.float64), count, order)
    matrix = np.zeros((count, count))
    np.add.at(matrix, (np.arange(count)[:, None], index), weight)
    solved = np.asarray(np.linalg.solve(matrix, lines.reshape(count, -1)), np.float64)
    return solved.reshape(lines.shape)
