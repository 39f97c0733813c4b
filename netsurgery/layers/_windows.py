"""Windows that slide over the axes behind the channels: parameters, sizes, and NumPy views, for Convolution, Deconvolution, Im2col."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ..errors import ShapeError
from ._dims import Size
from ._params import Params
from ._tiles import CACHE, MEMORY, tiles
from ._type import Array


@dataclass(frozen=True)
class Windows:
    """Kernel size, stride, padding and dilation of each spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """The span of a kernel in its input: dilation * (kernel - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def out(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """Output sizes of a convolution: floor((size + 2 pad - extent) / stride) + 1."""
        axes = zip(sizes, self.extent, self.stride, self.pad, strict=True)
        return tuple((n + 2 * p - e) // s + 1 for n, e, s, p in axes)


def read_windows(p: Params, spatial: int) -> Windows:
    """kernel_size, stride, pad and dilation as Caffe's base convolution reads them: once for all axes, once each, or as _h and _w.

    Source: base_conv_layer.cpp, LayerSetUp
    """
    dilation = p.get_ints("dilation")
    if p.has("dilation_h") or p.has("dilation_w"):  # spelt so in some forks
        dilation = (p.get_int("dilation_h", 1), p.get_int("dilation_w", 1))
    return Windows(
        _pair(p, "kernel_size", "kernel", None, spatial),
        _pair(p, "stride", "stride", 1, spatial),
        _pair(p, "pad", "pad", 0, spatial, least=0),
        _each(p, "dilation", dilation, 1, spatial, least=1),
    )


def require_second(p: Params, rank: int | None = None) -> None:
    """Raises: UnsupportedError unless `axis`, of the channels, is the second of `rank` axes (None: not known yet)."""
    axis = p.get_int("axis")
    if axis != 1 and (axis > -2 if rank is None else axis + rank != 1):
        raise p.refuse("axis", f"axis is {axis}{f' of {rank} axes' if rank is not None else ''}", expected="1")


def _pair(p: Params, name: str, stem: str, default: int | None, spatial: int, least: int = 1) -> tuple[int, ...]:
    h, w = f"{stem}_h", f"{stem}_w"
    if p.has(h) or p.has(w):
        if spatial != 2:
            raise p.refuse(h, f"{h} and {w} with {spatial} spatial axes", expected=name)
        if p.has(name):
            raise p.refuse(name, f"both {name} and {h} or {w} are set", expected="one of the two")
        return _each(p, name, (p.get_int(h, default or 0), p.get_int(w, default or 0)), default, spatial, least)
    return _each(p, name, p.get_ints(name), default, spatial, least)


def _each(
    p: Params, name: str, values: Sequence[int], default: int | None, spatial: int, least: int
) -> tuple[int, ...]:
    if not values and default is not None:
        values = (default,)
    if len(values) not in (1, spatial):
        raise p.refuse(name, f"{len(values)} values of {name}", expected=f"1, or {spatial}: one for each spatial axis")
    if any(v < least for v in values):
        raise p.refuse(name, f"{name} is {', '.join(map(str, values))}", expected=f"at least {least}")
    return tuple(values) * (spatial if len(values) == 1 else 1)


def padded(x: Array, windows: Windows, value: float = 0) -> Array:
    """x with `pad` on both sides of each spatial axis."""
    if not any(windows.pad):
        return x
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in windows.pad)], constant_values=value)


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
    m = w.shape[0]
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
    room = min(
        MEMORY.get(), max(CACHE, w.nbytes)
    )  # each tile reads the weights again: it should be as large as they are
    for items, *box in tiles((n, *out), room // ((group * depth + m) * x.itemsize)):
        places = (m, items.stop - items.start, *(side.stop - side.start for side in box))
        # one expression: the columns of a tile must be gone before those of the next are made
        y[(items, slice(None), *box)] = (
            (matrix @ _columns(x[items], windows, box).reshape(group, depth, -1)).reshape(places).swapaxes(0, 1)
        )
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


def spread_groups(w: Array, group: int) -> Array:
    """The weights (A, B, kernel...) of `group` groups as those of one, (A, B * group, kernel...): blocks along the diagonal."""
    rows, columns = w.shape[0] // group, w.shape[1]
    dense = np.zeros((w.shape[0], columns * group, *w.shape[2:]), w.dtype)
    for i in range(group):
        block = slice(i * rows, (i + 1) * rows)
        dense[block, i * columns : (i + 1) * columns] = w[block]
    return dense


def take_in(w: Array, group: int, order: Sequence[int], scale: Array, shift: Array) -> tuple[Array, Array] | None:
    """Weights (M, C / group, ..) that on x do what w does on x[:, order] * scale + shift, and what the shift adds to each of the M
    sums; in float64. None where a group would need channels of another."""
    mixed = list(order) != sorted(order)
    if mixed and group != 1:
        return None
    by_group = (group, 1, w.shape[1], *(1,) * (w.ndim - 2))
    old = w.astype(np.float64).reshape(group, -1, *w.shape[1:])
    made = (old * scale.reshape(by_group)).reshape(w.shape)
    if mixed:
        made = made[:, np.argsort(order)]
    return made, (old * shift.reshape(by_group)).reshape(len(w), -1).sum(1)


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


def require_room(title: str, windows: Windows, sizes: Sequence[Size]) -> None:
    """Raises: ShapeError if the kernel does not fit into the padded input."""
    for n, e, p in zip(sizes, windows.extent, windows.pad, strict=True):
        if isinstance(n, int) and n + 2 * p < e:
            raise ShapeError(
                f"the kernel spans {e}, the padded bottom {n + 2 * p}", layer=title, expected="a kernel that fits"
            )
