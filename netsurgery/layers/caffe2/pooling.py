"""Pooling as operators of Caffe2: explicit padding behind the image in place of Caffe's rounding up, so that any build reads it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core import LayerType, Op, Size, Tensor
from ..shared.pool_windows import PoolWindows
from ..shared.windows import Windows
from .operators import LOWEST, cast, columns_of, pad_image, pool, refuse


def tail(
    op: Op,
    n: Size,
    out: Size,
    k: int,
    s: int,
    p: int,
    *,
    padded: bool,
    round_up: bool,
    drops: bool,
    least: bool = False,
) -> int:
    """How much padding the operator needs behind an axis of size n, for windows of size k in steps of s that begin at -p.

    `padded`: the image was already filled up with p on both sides. `drops`: Caffe leaves out a last window that begins in the padding.
    """
    if not isinstance(n, int) and round_up and s > 1 and drops and p + s > k:
        n = op.number(n)  # whether a window is left out depends on the size
    # rounding up the number of windows is s - 1 more behind the image
    usual = p * (not padded) + (s - 1) * round_up
    if not isinstance(n, int) or not isinstance(out, int):
        return usual
    # at one size as at every size, where that does: whoever reads the net sees how it rounds
    if not least and usual < k and (n + p + p * padded + usual - k) // s + 1 == out:
        return usual
    return max(0, (out - 1) * s + k - p - n - p * padded)


def emit(
    op: Op,
    x: Tensor,
    pools: PoolWindows,
    out: Sequence[Size],
    layer: LayerType,
    method: str,
    counts_pad: bool = True,
) -> list[Tensor]:
    """The tops of a pooling. Raises: UnsupportedError for what the operators do not do."""
    if max(pools.at.dilation) > 1:
        raise refuse(layer, f"dilation {pools.at.dilation}", expected="dilation 1")
    if method == "AVE":
        return [emit_average(op, x, pools, out, layer=layer, counts=counts_pad)]
    y, behind = emit_max(op, x, pools, out, least=layer.top_count > 1)
    if layer.top_count < 2:
        return [y]
    if len(out) != 2:
        raise refuse(layer, f"a mask of {len(out)} axes", expected="2 axes")
    return [y, emit_mask(op, x, pools.at, behind, out)]


def emit_max(
    op: Op, x: Tensor, pools: PoolWindows, out: Sequence[Size], *, least: bool = False
) -> tuple[Tensor, list[int]]:
    """MaxPool, and the padding behind each axis (`least`: no more than the windows need). A window that lies behind the image gives the
    lowest number, as in Caffe."""
    at = pools.at
    axes = zip(x.shape[2:], out, at.kernel, at.stride, at.pad, pools.drops, strict=True)
    behind = [
        tail(op, n, o, k, s, p, padded=False, round_up=pools.round_up, drops=d, least=least)
        for n, o, k, s, p, d in axes
    ]
    pads = behind
    if any(b >= k for b, k in zip(behind, at.kernel, strict=True)):  # which the operator refuses
        x, pads = fill(op, x, [0] * len(behind), behind, LOWEST), [0] * len(behind)
    return pool(op, "MaxPool", x, at.kernel, at.stride, (*at.pad, *pads)), behind


def emit_average(
    op: Op, x: Tensor, pools: PoolWindows, out: Sequence[Size], *, layer: LayerType, counts: bool = True
) -> Tensor:
    """AveragePool: its own padding, behind the image, does not count, that of Caffe, filled up before, does.

    Raises: UnsupportedError if a window lies behind the image."""
    at, sizes = pools.at, list(x.shape[2:])
    if pools.round_up:
        sides = zip(sizes, at.kernel, at.stride, pools.drops, strict=True)
        sizes = [op.number(n) if s > k and not d else n for n, k, s, d in sides]
    axes = zip(sizes, out, at.kernel, at.stride, at.pad, pools.drops, strict=True)
    behind = [tail(op, n, o, k, s, p, padded=counts, round_up=pools.round_up, drops=d) for n, o, k, s, p, d in axes]
    if any(b >= k for b, k in zip(behind, at.kernel, strict=True)):
        raise refuse(layer, "a window lies behind the image: Caffe divides by 0", expected="a stride up to the kernel")
    if any(at.pad) and counts:
        x = fill(op, x, at.pad, at.pad, 0.0)
    before = [0] * len(behind) if counts else at.pad
    return pool(op, "AveragePool", x, at.kernel, at.stride, (*before, *behind))


def fill(op: Op, x: Tensor, before: Sequence[int], behind: Sequence[int], value: float) -> Tensor:
    """x with `value` around its spatial axes: two, or three, of which PadImage knows the last two."""
    if len(before) == 2:
        return pad_image(op, x, before[0], before[1], behind[0], behind[1], value)
    h, w = (op("Add", op.size(x, 3 + i), op.ints(before[1 + i] + behind[1 + i])) for i in (0, 1))
    depth = op("Add", op.size(x, 2), op.ints(before[0] + behind[0]))
    flat = op.reshape(x, 0, -1, op.size(x, 3), op.size(x, 4))
    flat = pad_image(op, flat, before[1], before[2], behind[1], behind[2], value)
    if before[0] + behind[0] == 0:
        return op.reshape(flat, 0, op.size(x, 1), depth, h, w)
    planes = op.reshape(flat, 0, op.size(x, 1), op.size(x, 2), -1)  # (N, C, L, H W): L is the height now
    return op.reshape(pad_image(op, planes, before[0], 0, behind[0], 0, value), 0, 0, depth, h, w)


def emit_mask(op: Op, x: Tensor, at: Windows, behind: Sequence[int], out: Sequence[Size]) -> Tensor:
    """Where in its channel each greatest value stands, counted row by row, the first one if several: the windows are laid out one
    number after another, the greatest is looked up, and its place in the window becomes one in the image."""
    (ph, pw), (kh, kw), (sh, sw) = at.pad, at.kernel, at.stride
    rows, columns = (op.number(n) for n in out)
    width = op.number(x.shape[3])
    around = fill(op, x, at.pad, behind, LOWEST)
    windows = columns_of(op, around, Windows(at.kernel, at.stride, (0, 0), (1, 1)))  # (N, C kh kw, rows, columns)
    cells = op.reshape(windows, op.size(x, 0), op.size(x, 1), kh * kw, -1)
    best = op("ArgMax", cells, axis=2, keepdims=0)  # (N, C, places)
    down = op("Div", best, op.ints(kw))
    right = op("Sub", best, op("Mul", down, op.ints(kw)))
    corner = (np.arange(rows) * sh - ph)[:, None] * width + np.arange(columns) * sw - pw
    index = op("Add", op("Add", op("Mul", down, op.ints(width)), right), op.const(corner.reshape(-1), "int64"))
    return op.reshape(cast(op, index, "float"), 0, 0, rows, columns)
