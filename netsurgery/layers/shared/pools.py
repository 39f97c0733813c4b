"""Greatest values and sums of windows, one axis after another: k + k steps for a window of k x k, each over whole blobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..core import Array
from .windows import Windows

LOWEST = float(np.finfo(np.float32).min)
"""Where Caffe begins to look for the greatest value."""

Place = tuple[slice, ...]


def greatest(x: Array, windows: Windows, out: Sequence[int]) -> Array:
    """The greatest value of each window, as Caffe finds it: beginning with the lowest number, and NaN is never greater.

    Shapes: (N, C, size...) -> (N, C, *out); windows may reach over the borders, where nothing is.
    """
    return _along_each_axis(x, windows, out, np.fmax, LOWEST)


def sums(x: Array, windows: Windows, out: Sequence[int]) -> Array:
    """The sum of each window; beyond the borders there are zeros. Shapes as for `greatest`."""
    return _along_each_axis(x, windows, out, np.add, 0.0)


def greatest_places(x: Array, windows: Windows, out: Sequence[int]) -> tuple[Array, NDArray[np.int32]]:
    """`greatest`, and where in its map each value is, counted row by row: the first one if several, -1 if none is greater than the
    lowest number."""
    places = np.broadcast_to(np.arange(prod(x.shape[2:]), dtype=np.int32).reshape(x.shape[2:]), x.shape)
    for axis in reversed(range(len(out))):  # the first one of a row, then the first row
        shape = _replaced(x.shape, axis, out[axis])
        best, at = np.full(shape, LOWEST, x.dtype), np.full(shape, -1, np.int32)
        for target, source in _by_offset(x.shape, windows, axis, out[axis]):
            better = x[source] > best[target]
            np.copyto(best[target], x[source], where=better)
            np.copyto(at[target], places[source], where=better)
        x, places = best, at
    return x, places


def spans(windows: Windows, axis: int, size: int, out: int, counts_pad: bool) -> NDArray[np.int_]:
    """How many places of each window along an axis lie in the padded image, or in the image."""
    pad = windows.pad[axis]
    starts = np.arange(out) * windows.stride[axis] - pad
    ends = starts + windows.kernel[axis]
    return np.minimum(ends, size + pad) - starts if counts_pad else np.minimum(ends, size) - np.maximum(starts, 0)


def _along_each_axis(x: Array, windows: Windows, out: Sequence[int], join: np.ufunc, start: float) -> Array:
    for axis, n in enumerate(out):
        y = np.full(_replaced(x.shape, axis, n), start, x.dtype)
        if n < windows.kernel[axis]:
            for target, source in _by_window(x.shape, windows, axis, n):
                join.reduce(x[source], axis=2 + axis, initial=start, keepdims=True, out=y[target])
        else:
            for target, source in _by_offset(x.shape, windows, axis, n):
                join(y[target], x[source], out=y[target])
        x = y
    return x


def _replaced(shape: Sequence[int], axis: int, n: int) -> tuple[int, ...]:
    return (*shape[: 2 + axis], n, *shape[3 + axis :])


def _by_offset(shape: Sequence[int], windows: Windows, axis: int, out: int) -> Iterator[tuple[Place, Place]]:
    """For each place of the kernel along an axis: the windows that have it inside x, and where in x it is for them."""
    n, s = shape[2 + axis], windows.stride[axis]
    before = (slice(None),) * (2 + axis)
    for k in range(windows.kernel[axis]):
        offset = k * windows.dilation[axis] - windows.pad[axis]
        first, last = max(0, -(offset // s)), min(out - 1, (n - 1 - offset) // s)
        if first <= last:
            yield (*before, slice(first, last + 1)), (*before, slice(first * s + offset, last * s + offset + 1, s))


def _by_window(shape: Sequence[int], windows: Windows, axis: int, out: int) -> Iterator[tuple[Place, Place]]:
    """Each window along an axis, and what of x is in it."""
    n, d = shape[2 + axis], windows.dilation[axis]
    before = (slice(None),) * (2 + axis)
    for i in range(out):
        begin = i * windows.stride[axis] - windows.pad[axis]
        end = min(begin + windows.extent[axis], n)
        begin += max(0, -(begin // d)) * d
        yield (*before, slice(i, i + 1)), (*before, slice(begin, max(begin, end), d))
