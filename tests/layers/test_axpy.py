"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/axpy.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize("a", [(2, 3), (2, 3, 1), (2, 3, 1, 1)])
def test_axpy_takes_factors_of_any_rank(a: tuple[int, ...]) -> None:
    net = make(one("Axpy", bottoms="axb"), a=a, x=(2, 3, 4, 5), b=(2, 3, 4, 5))
    feed = {"a": numbers(*a), "x": numbers(2, 3, 4, 5), "b": numbers(2, 3, 4, 5)}
    (tops,) = agree(net, feed)
    np.testing.assert_allclose(tops["y"], feed["a"].reshape(2, 3, 1, 1) * feed["x"] + feed["b"], rtol=1e-5, atol=1e-6)
