"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/spp.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import Array, agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


def pyramid(x: Array, levels: int, method: str) -> Array:
    """SPP by the windows of Caffe's Pooling, one at a time."""
    n, c, *sizes = x.shape
    tops = []
    for bins in (2**level for level in range(levels)):
        kernel = [-(-s // bins) for s in sizes]
        pad = [(k * bins - s + 1) // 2 for k, s in zip(kernel, sizes, strict=True)]
        top = np.zeros((n, c, bins, bins))
        for place in np.ndindex(bins, bins):
            start = [i * k - p for i, k, p in zip(place, kernel, pad, strict=True)]
            end = [min(a + k, s + p) for a, k, s, p in zip(start, kernel, sizes, pad, strict=True)]
            area = (end[0] - start[0]) * (end[1] - start[1])
            rows, columns = (slice(max(a, 0), min(e, s)) for a, e, s in zip(start, end, sizes, strict=True))
            window = x[:, :, rows, columns]
            top[:, :, place[0], place[1]] = window.max((2, 3)) if method == "MAX" else window.sum((2, 3)) / area
        tops.append(top.reshape(n, -1))
    return np.concatenate(tops, 1)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_spp_at_every_size_that_caffe_takes(method: str) -> None:
    net = make(one("SPP", f"spp_param {{ pyramid_height: 3 pool: {method} }}"), x=(1, 2, 12, 12))
    feeds, refused = [], []
    for height, width in [(h, 16) for h in range(1, 18)] + [(7, 11), (11, 6), (100, 37)]:
        try:
            net.shapes({"x": (1, 2, height, width)})
            feeds.append({"x": numbers(2, 2, height, width) - 3})
        except ShapeError:
            refused.append(height)
    assert refused == [1, 2, 3, 5]  # bins that would lie in the padding altogether: Caffe's Pooling stops there, too
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], pyramid(feed["x"], 3, method), rtol=1e-5, atol=1e-6)


def test_spp_refuses_sizes_that_do_not_fill_the_bins() -> None:
    net = make(one("SPP", "spp_param { pyramid_height: 3 }"), x=(1, 2, 12, 5))
    assert refusal(lambda: net.shapes(), ShapeError) == (
        "net.prototxt:2: layer 'y' (SPP): a size of 5 does not fill 4 bins: kernel 2, pad 2\n"
        "  expected: pad less than kernel\n  fix: a larger image, or a lower pyramid_height"
    )
