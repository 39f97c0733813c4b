"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/reorg.py."""

from __future__ import annotations

import numpy as np
from one_layer import agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


def test_reorg_moves_numbers_as_darknet_does() -> None:
    s, (n, c, h, w) = 2, (2, 8, 4, 6)
    x, o = numbers(n, c, h, w), c // (s * s)
    want = np.zeros(x.size, np.float32)
    for b, k, j, i in np.ndindex(n, c, h, w):
        column, row = i * s + k // o % s, j * s + k // o // s
        want[i + w * (j + h * (k + c * b))] = x.reshape(-1)[column + w * s * (row + h * s * (k % o + o * b))]
    net = make(one("Reorg", "reorg_param { stride: 2 }"), x=x.shape)
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 12, 2, 8)})
    np.testing.assert_array_equal(first["y"], want.reshape(n, c * s * s, h // s, w // s))
    problem = refusal(lambda: net.shapes({"x": (1, 8, 5, 6)}), ShapeError)
    assert problem == "net.prototxt:2: layer 'y' (Reorg): height 5\n  expected: a multiple of 2"
