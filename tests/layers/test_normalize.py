"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/normalize.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 5, 3)])
def test_normalize_of_any_rank(shape: tuple[int, ...]) -> None:
    x, scale = numbers(*shape), numbers(4)
    behind = (1,) * (len(shape) - 2)
    net = make(one("Normalize", "norm_param { channel_shared: false eps: 0.5 }"), [scale], x=shape)
    (tops,) = agree(net, {"x": x})
    norm = np.sqrt((x**2).sum(tuple(range(1, x.ndim)), keepdims=True) + 0.5)
    np.testing.assert_allclose(tops["y"], x / norm * scale.reshape(-1, *behind), rtol=1e-5)
    net = make(one("Normalize", 'normalize_param { normalize_type: "L1" }', tops=("y", "norm")), x=shape)
    (tops,) = agree(net, {"x": x})
    norm = (np.abs(x).sum(1, keepdims=True) + 1e-6).reshape(shape[0], 1, *shape[2:], *[1] * (4 - len(shape)))
    np.testing.assert_allclose(tops["norm"], norm, rtol=1e-5)
    np.testing.assert_allclose(tops["y"], x.reshape(*shape, *[1] * (4 - len(shape))) / norm, rtol=1e-5)
