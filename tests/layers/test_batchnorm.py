"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/batchnorm.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 4, 5, 3), (2, 4, 2, 3, 5)])
@pytest.mark.parametrize("stored", [True, False])
def test_batchnorm_of_any_rank(shape: tuple[int, ...], stored: bool) -> None:
    mean, variance, factor = numbers(4), np.abs(numbers(4)) + 1, np.float32([4])
    params = "" if stored else "batch_norm_param { use_global_stats: false eps: 0.25 }"
    net = make(one("BatchNorm", params), [mean, variance, factor], x=shape)
    x, behind = numbers(*shape), (1,) * (len(shape) - 2)
    (tops,) = agree(net, {"x": x})
    if stored:
        expected = (x - mean.reshape(-1, *behind) / 4) / np.sqrt(variance.reshape(-1, *behind) / 4 + 1e-5)
    else:
        axes = (0, *range(2, x.ndim))
        expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 0.25)
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-5, atol=1e-6)
