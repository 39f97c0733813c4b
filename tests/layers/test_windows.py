"""Convolution and pooling by NumPy: the fast ways against the definitions, and the memory that they take."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import numpy as np
import pytest

import netsurgery
from netsurgery.formats.load import from_text
from netsurgery.layers.core.tiles import MEMORY, tiles
from netsurgery.layers.shared.convolve import convolve
from netsurgery.layers.shared.pools import LOWEST, greatest, greatest_places, sums
from netsurgery.layers.shared.windows import Windows

Array = np.ndarray[Any, Any]


def some_windows(rng: np.random.Generator) -> tuple[Windows, list[int]]:
    """Windows over one to three axes, and the sizes of a map that has room for them."""
    axes = int(rng.integers(1, 4))
    kernel, stride, dilation = (tuple(rng.integers(1, most, axes).tolist()) for most in (4, 4, 3))
    pad = tuple(rng.integers(0, 3, axes).tolist())
    at = Windows(kernel, stride, pad, dilation)
    return at, [max(e - 2 * p, 1) + int(rng.integers(0, 5)) for e, p in zip(at.extent, pad, strict=True)]


def window(x: Array, at: Windows, place: tuple[int, ...]) -> list[list[int]]:
    """Along each axis, where the window at `place` meets x, at each place of the kernel."""
    return [
        [o * s - p + i * d for i in range(k)]
        for o, k, s, p, d in zip(place, at.kernel, at.stride, at.pad, at.dilation, strict=True)
    ]


@pytest.mark.parametrize("memory", [1, 2000, 256 << 20])
@pytest.mark.parametrize("seed", range(30))
def test_convolution_is_its_definition_whatever_the_memory(seed: int, memory: int) -> None:
    rng = np.random.default_rng(seed)
    at, sizes = some_windows(rng)
    group = int(rng.integers(1, 4))
    c, m = group * int(rng.integers(1, 3)), group * int(rng.integers(1, 3))
    x = rng.normal(size=(int(rng.integers(1, 3)), c, *sizes))
    w = rng.normal(size=(m, c // group, *at.kernel))
    before = MEMORY.set(memory)
    try:
        y = convolve(x, w, at, group)
    finally:
        MEMORY.reset(before)
    assert y.shape == (len(x), m, *at.out(sizes))
    for n, row, *place in np.ndindex(*y.shape):
        first = row // (m // group) * (c // group)
        total = 0.0
        for offset in itertools.product(*map(range, at.kernel)):
            met = [axis[i] for axis, i in zip(window(x, at, tuple(place)), offset, strict=True)]
            if all(0 <= i < size for i, size in zip(met, sizes, strict=True)):
                total += float(x[(n, slice(first, first + c // group), *met)] @ w[(row, slice(None), *offset)])
        assert y[(n, row, *place)] == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("seed", range(30))
def test_pooling_is_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at, sizes = some_windows(rng)
    out = rng.integers(1, 6, len(sizes)).tolist()  # windows may lie behind the map
    x = np.round(rng.normal(size=(2, 2, *sizes)))  # with ties
    total = sums(x, at, out)
    x[rng.random(x.shape) < 0.1] = np.nan
    best, (values, places) = greatest(x, at, out), greatest_places(x, at, out)
    for index in np.ndindex(*best.shape):
        inside = [[i for i in axis if 0 <= i < n] for axis, n in zip(window(x, at, index[2:]), sizes, strict=True)]
        top, place = LOWEST, -1
        for met in itertools.product(*inside):
            if x[(*index[:2], *met)] > top:
                top, place = x[(*index[:2], *met)], int(np.ravel_multi_index(met, sizes))
        assert (best[index], values[index], places[index]) == (top, top, place)
        numbers = x[index[:2]][np.ix_(*inside)]
        assert np.isnan(numbers).any() or total[index] == numbers.sum()


def test_tiles_cover_everything_once() -> None:
    for count in (0, 1, 5, 6, 24, 1000):
        seen = np.zeros((3, 4, 5), int)
        for box in tiles(seen.shape, count):
            assert seen[box].size <= max(count, 1)
            seen[box] += 1
        assert (seen == 1).all()
    assert not list(tiles((2, 0), 7))


def peak(net: netsurgery.Net, **options: Any) -> int:
    """The most bytes that arrays take at one time while the net is computed."""
    feeds = {name: np.ones(shape, np.float32) for name, shape in net.inputs.items() if shape}
    netsurgery.run(net, feeds, **options)  # imports
    tracemalloc.start()
    try:
        netsurgery.run(net, feeds, **options)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 16 dim: 100 dim: 100 } } }'


def test_columns_of_windows_keep_to_the_memory_that_is_given() -> None:
    conv = "convolution_param { num_output: 16 kernel_size: 9 pad: 4 }"
    net = from_text(f'{INPUT} layer {{ name: "c" type: "Convolution" bottom: "x" top: "y" {conv} }}')
    net = netsurgery.initialize(net, how="random")
    blobs = 4 * 16 * (100 * 100 + 108 * 108 + 100 * 100)  # bottom, bottom with its padding, top
    all_columns = 4 * 16 * 81 * 100 * 100  # 52 MB
    for memory in (1 << 20, 3 << 20):
        assert peak(net, memory=memory) < blobs + memory + (1 << 18) < all_columns / 8


def test_blobs_are_let_go_when_nothing_needs_them() -> None:
    chain = "".join(
        f'layer {{ name: "r{i}" type: "ReLU" bottom: "{"x" if not i else f"b{i - 1}"}" top: "b{i}" }}'
        for i in range(20)
    )
    net = from_text(INPUT + chain)
    blob = 4 * 16 * 100 * 100
    assert peak(net, blobs=["b19"]) < 4 * blob
    assert peak(net) > 20 * blob
