"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/prelu.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 2, 3, 5)])
def test_prelu_of_any_rank(shape: tuple[int, ...]) -> None:
    x, slope = numbers(*shape), numbers(4)
    (tops,) = agree(make(one("PReLU"), [slope], x=shape), {"x": x})
    np.testing.assert_allclose(tops["y"], np.where(x > 0, x, x * slope.reshape(-1, *[1] * (len(shape) - 2))), rtol=1e-6)
    shared = make(one("PReLU", "prelu_param { channel_shared: true }"), [np.float32(0.5).reshape(())], x=shape)
    (tops,) = agree(shared, {"x": x})
    np.testing.assert_allclose(tops["y"], np.where(x > 0, x, x / 2), rtol=1e-6)
