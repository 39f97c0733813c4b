"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/reversetime.py."""

from __future__ import annotations

import numpy as np
from losses import compute, net_of


def test_reverse_time_leaves_nothing_behind_a_sequence() -> None:
    x = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
    layer = 'layer {{ name: "l" type: "ReverseTime" bottom: "x" bottom: "n" top: "y" reverse_time_param {{ copy_remaining: {} }} }}'
    inputs = {"x": (4, 3), "n": (3,)}
    expected = np.array([[7, 2, 12], [4, 0, 9], [1, 0, 6], [0, 0, 3]])
    np.testing.assert_array_equal(compute(net_of(layer.format("false"), inputs), x=x, n=[3, 1, 4]), expected)
    expected[1:, 1], expected[3, 0] = [5, 8, 11], 10
    np.testing.assert_array_equal(compute(net_of(layer.format("true"), inputs), x=x, n=[3, 1, 4]), expected)
