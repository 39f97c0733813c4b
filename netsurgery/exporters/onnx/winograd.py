"""3x3 convolutions by Winograd's algorithm F(4x4, 3x3): 36 products for 16 outputs instead of 144.

x -> patches of 6x6, 4 apart -> V = B'xB of each -> M = UV over channels, for each of 36 places -> 4x4 outputs A'MA of each

U = G w G' is computed once, when the model is written, and is four times as large as w. Equal to the convolution in exact numbers;
in float32 the rounding of one layer is some 1e-6 of its largest output, where the convolution's own is 2e-7.

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks (2015), with the points 0, +-sqrt(2), +-sqrt(1/2), which round
less than the paper's 0, +-1, +-2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...layers.core import Op, Tensor
from ...layers.core.dims import Axis, Size
from ..builder import Array
from .forms import Form

TILE = 4
PATCH = TILE + 2
LEAST_CHANNELS, LEAST_TILES, LEAST_WORK = 128, 16, 6000
"""Of channels, of input and output; of tiles of an image; and of their product. With fewer channels patches take as long as the products
that they save, with fewer tiles reading U does (tests/benchmarks/bench_layers.py)."""

_POINTS = (0.0, 2**0.5, -(2**0.5), 0.5**0.5, -(0.5**0.5))


def winograd(declared: Mapping[Axis, int]) -> Form:
    """Conv, where it is faster at the net's declared sizes, by Winograd's algorithm; at any size it computes the same."""

    def form(op: Op, x: Tensor, w: Tensor, bias: Tensor | None = None, **attributes: Any) -> Tensor:
        pads = attributes.get("pads", (0, 0, 0, 0))
        if x.shape and _dense(w, attributes) and _gains(x, w, pads, declared):
            return _emit(op, x, w, bias, pads)
        return op("Conv", x, w, bias, **attributes)

    return form


def _dense(w: Tensor, attributes: Mapping[str, Any]) -> bool:
    """Whether it is a convolution of 3x3 neighbours, and of constant weights."""
    usual = {"kernel_shape": (3, 3), "strides": (1, 1), "dilations": (1, 1)}
    same = all(tuple(attributes.get(name, numbers)) == numbers for name, numbers in usual.items())
    return same and attributes.get("group", 1) == 1 and w.value is not None and w.value.ndim == 4


def _gains(x: Tensor, w: Tensor, pads: Sequence[int], declared: Mapping[Axis, int]) -> bool:
    """Whether it is large enough at the declared sizes; not where data decide one, as then there may be no image at all."""
    assert w.value is not None
    if any(not isinstance(n, int) and (n.by_data or not n.axes <= declared.keys()) for n in x.shape):
        return False
    channels, tiles = min(w.value.shape[:2]), 1
    for n, before, behind in zip(x.shape[2:], pads[:2], pads[2:], strict=True):
        tiles *= _count((n if isinstance(n, int) else n.at(declared)) + before + behind - 2)
    return channels >= LEAST_CHANNELS and tiles >= LEAST_TILES and channels * tiles >= LEAST_WORK


def _count(size: Size) -> Any:
    """How many tiles cover so many positions."""
    return (size + TILE - 1) // TILE


def _emit(op: Op, x: Tensor, w: Tensor, bias: Tensor | None, pads: Sequence[int]) -> Tensor:
    top, left, bottom, right = pads
    assert w.value is not None
    to_patch, to_kernel, to_tile = _matrices()
    outputs, channels = w.value.shape[:2]
    kernel = to_kernel @ w.value.reshape(outputs * channels, 9).T.astype(np.float64)
    u = op.weight(kernel.reshape(PATCH**2, outputs, channels), "winograd")
    height, width = (n + before + behind - 2 for n, before, behind in zip(x.shape[2:], pads[:2], pads[2:], strict=True))
    grid = _count(height), _count(width)
    # channels as the depth of a volume: a patch's 36 numbers become channels, where the products want them
    volume = op("Unsqueeze", x, op.ints(1), shape=(x.shape[0], 1, *x.shape[1:]))
    patches = op(
        "Conv",
        volume,
        op.const(to_patch.reshape(PATCH**2, 1, 1, PATCH, PATCH)),
        kernel_shape=(1, PATCH, PATCH),
        strides=(1, TILE, TILE),
        pads=(0, top, left, 0, bottom + TILE - 1, right + TILE - 1),  # as many as the last tile may want
        shape=(x.shape[0], PATCH**2, channels, *grid),
    )
    products = op("MatMul", u, op.reshape(patches, 0, 0, 0, -1))
    tiles = op("MatMul", op.const(to_tile), op.reshape(products, 0, PATCH**2, -1))
    blocks = op.reshape(tiles, 0, TILE**2 * outputs, op.size(patches, 3), op.size(patches, 4))
    y = op("DepthToSpace", blocks, blocksize=TILE, mode="DCR")
    if not all(isinstance(n, int) and n % TILE == 0 for n in (height, width)):
        ends = op.ints(op.size(x, 2), op.size(x, 3))
        grown = np.array([top + bottom - 2, left + right - 2])
        y = op("Slice", y, op.ints(0, 0), op("Add", ends, grown) if grown.any() else ends, op.ints(2, 3))
    return y if bias is None else op("Add", y, op.reshape(bias, 1, -1, 1, 1))


def _matrices() -> tuple[Array, Array, Array]:
    """B' x B', G x G and A' x A', x being Kronecker's product: from a patch's numbers, a kernel's, and to a tile's."""
    count = len(_POINTS)
    to_patch, to_kernel, to_tile = np.zeros((PATCH, PATCH)), np.zeros((PATCH, 3)), np.zeros((TILE, PATCH))
    for i, point in enumerate(_POINTS):
        others = [p for j, p in enumerate(_POINTS) if j != i]
        to_patch[i, :count] = np.poly(others)[::-1]
        to_kernel[i] = point ** np.arange(3) / np.prod([point - p for p in others])
        to_tile[:, i] = point ** np.arange(TILE)
    to_patch[count], to_kernel[count, 2], to_tile[TILE - 1, count] = np.poly(_POINTS)[::-1], 1, 1
    return np.kron(to_patch, to_patch), np.kron(to_kernel, to_kernel), np.kron(to_tile, to_tile)
