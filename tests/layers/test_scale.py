"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/scale.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize(
    ("axis", "s", "lift"),
    [(0, (2, 3), (2, 3, 1, 1)), (-1, (5,), (5,)), (1, (3, 4), (3, 4, 1)), (9, (), ()), (0, (2, 3, 4, 5), (2, 3, 4, 5))],
)
def test_scale_by_a_second_bottom_with_a_learned_bias(axis: int, s: tuple[int, ...], lift: tuple[int, ...]) -> None:
    bias = np.asarray(numbers(*s))
    params = f"scale_param {{ axis: {axis} bias_term: {'true' if s else 'false'} }}"
    net = make(one("Scale", params, ("x", "s")), [bias] if s else [], x=(2, 3, 4, 5), s=s)
    feed = {"x": numbers(2, 3, 4, 5), "s": np.asarray(numbers(*s))}
    (tops,) = agree(net, feed)
    expected = feed["x"] * feed["s"].reshape(lift) + (bias.reshape(lift) if s else 0)
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-5, atol=1e-6)
