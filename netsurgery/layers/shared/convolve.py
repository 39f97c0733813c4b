"""Windows by NumPy: cut out of a blob as views, and convolved with weights in tiles that keep to the memory that is given."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..core import Array
from ..core.tiles import CACHE, MEMORY, THREADS, each, tiles
from .windows import Windows


def padded(x: Array, windows: Windows, value: float = 0) -> Array:
    """x with `pad` on both sides of each spatial axis."""
    if not any((*windows.pad, *windows.ends)):
        return x
    return np.pad(x, [(0, 0), (0, 0), *zip(windows.pad, windows.ends, strict=True)], constant_values=value)


def views(x: Array, windows: Windows) -> Array:
    """The windows of x (already padded) as a view: (N, C, *output, *kernel)."""
    spatial = len(windows.kernel)
    axes = tuple(range(2, 2 + spatial))
    slid = np.lib.stride_tricks.sliding_window_view(x, windows.extent, axis=axes)
    steps = [slice(None, None, s) for s in windows.stride]
    inside = [slice(None, None, d) for d in windows.dilation]
    return np.asarray(slid[(slice(None), slice(None), *steps, *inside)])


def convolve(x: Array, w: Array, windows: Windows, group: int) -> Array:
    """Cross-correlation of x (N, C, ...) with w (M, C / group, ...): the matrix of weights times columns of windows, of as many places
    at a time as memory allows.

    Shapes: -> (N, M, *output).
    """
    n, c = x.shape[:2]
    m, windows = w.shape[0], windows.over(x.shape[2:])
    out = tuple(int(s) for s in windows.out(x.shape[2:]) if isinstance(s, int))
    y = np.empty((n, m, *out), x.dtype)
    if group == c == m:  # depthwise: no sum over channels
        return _depthwise(padded(x, windows), w, windows, y)
    matrix = w.reshape(group, m // group, -1)
    if {*windows.kernel} == {1} and not any(windows.pad):  # the columns are x itself
        met = x[(slice(None), slice(None), *(slice(None, None, s) for s in windows.stride))]
        np.matmul(matrix, met.reshape(n, group, c // group, -1), out=y.reshape(n, group, m // group, -1))
        return y
    x, depth = padded(x, windows), matrix.shape[2]
    # each tile reads the weights again: it should be as large as they are
    room = min(MEMORY.get() // THREADS.get(), max(CACHE, w.nbytes))

    def compute(tile: tuple[slice, ...]) -> None:
        items, *box = tile
        places = (m, items.stop - items.start, *(side.stop - side.start for side in box))
        columns = _columns(x[items], windows, box).reshape(group, depth, -1)
        y[(items, slice(None), *box)] = (matrix @ columns).reshape(places).swapaxes(0, 1)

    each(compute, tiles((n, *out), room // ((group * depth + m) * x.itemsize)))
    return y


def _columns(x: Array, windows: Windows, box: Sequence[slice]) -> Array:
    """The windows at these places: (C, *kernel, N, *box)."""
    n, c = x.shape[:2]
    spans = [
        slice(b.start * s, (b.stop - 1) * s + e, 1) for b, s, e in zip(box, windows.stride, windows.extent, strict=True)
    ]
    x = x[(slice(None), slice(None), *spans)].swapaxes(0, 1)
    sides = [b.stop - b.start for b in box]
    columns = np.empty((c, *windows.kernel, n, *sides), x.dtype)
    if prod(windows.kernel) <= prod(sides):
        for offset in np.ndindex(*windows.kernel):
            columns[(slice(None), *offset)] = x[(slice(None), slice(None), *_met(windows, offset, sides))]
    else:  # few windows, each of many places
        for place in np.ndindex(*sides):
            one = [
                slice(p * s, p * s + e, d)
                for p, s, e, d in zip(place, windows.stride, windows.extent, windows.dilation, strict=True)
            ]
            columns[(..., *place)] = np.moveaxis(x[(slice(None), slice(None), *one)], 1, -1)
    return columns


def _met(windows: Windows, offset: Sequence[int], out: Sequence[int]) -> list[slice]:
    """What the kernel's place `offset` meets along each axis, for `out` windows."""
    axes = zip(offset, windows.dilation, windows.stride, out, strict=True)
    return [slice(o * d, o * d + (n - 1) * s + 1, s) for o, d, s, n in axes]


def _depthwise(x: Array, w: Array, windows: Windows, y: Array) -> Array:
    """Each channel (x is padded) by itself, a few channels at a time: their sums stay in the cache."""
    w = w.reshape(y.shape[1], *windows.kernel, *(1,) * (y.ndim - 2))
    for items, channels in tiles(y.shape[:2], CACHE // 8 // max(1, prod(y.shape[2:]) * y.itemsize)):
        sums = np.zeros_like(y[items, channels])
        product = np.empty_like(sums)
        for offset in np.ndindex(*windows.kernel):
            met = x[(items, channels, *_met(windows, offset, y.shape[2:]))]
            np.multiply(met, w[(channels, *offset)], out=product)
            sums += product
        y[items, channels] = sums
    return y
