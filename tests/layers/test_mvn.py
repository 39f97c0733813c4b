"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/mvn.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (2, 3, 4, 5)])
@pytest.mark.parametrize("across", ["true", "false"])
def test_mvn_always_gives_four_axes(shape: tuple[int, ...], across: str) -> None:
    net = make(one("MVN", f"mvn_param {{ across_channels: {across} eps: 0.125 }}"), x=shape)
    x = numbers(*shape)
    (tops,) = agree(net, {"x": x})
    full = x.reshape(*shape, *[1] * (4 - len(shape)))
    axes = (1, 2, 3) if across == "true" else (2, 3)
    expected = (full - full.mean(axes, keepdims=True)) / (full.std(axes, keepdims=True) + 0.125)
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-4, atol=1e-6)
