"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/denseblock.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, net_of, normal


@pytest.mark.parametrize("factor", [0, 2.5])
@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_dense_block_divides_its_statistics_by_the_factor(bottleneck: bool, factor: float) -> None:
    steps, growth, channels = 2, 2, 3
    wide = [channels + t * growth for t in range(steps)]
    blobs = [normal(growth, 4 * growth if bottleneck else c, 3, 3) for c in wide]
    blobs += [np.abs(normal(1, c, 1, 1)) for _ in range(4) for c in wide]
    if bottleneck:
        blobs += [normal(4 * growth, c, 1, 1) for c in wide]
        blobs += [np.abs(normal(1, 4 * growth, 1, 1)) for _ in range(4) for c in wide]
    net = net_of(
        'layer { name: "l" type: "DenseBlock" bottom: "x" top: "y" '
        f"denseblock_param {{ numTransition: 2 growthRate: 2 use_BC: {str(bottleneck).lower()} }} }}",
        {"x": (1, 3, 4, 5)},
        {"l": [*blobs, np.array([factor], np.float32)]},
    )
    x = normal(2, 3, 6, 4)
    y = compute(net, x=x)
    assert y.shape == (2, 7, 6, 4)
    np.testing.assert_array_equal(y[:, :3], x)
