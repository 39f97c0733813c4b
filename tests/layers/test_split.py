"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/split.py."""

from __future__ import annotations

import numpy as np
from one_layer import agree, make, numbers


def test_split_gives_all_its_tops() -> None:
    net = make('layer { name: "y" type: "Split" bottom: "x" top: "a" top: "b" }', x=(2, 3))
    x = numbers(2, 3)
    (tops,) = agree(net, {"x": x})
    np.testing.assert_array_equal(tops["a"], x)
    np.testing.assert_array_equal(tops["b"], x)
