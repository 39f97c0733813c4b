"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/correlation.py."""

from __future__ import annotations

import numpy as np
from losses import compute, net_of, normal


def test_correlation_crops_what_displacements_cannot_reach() -> None:
    net = net_of(
        'layer { name: "l" type: "Correlation" bottom: "a" bottom: "b" top: "y" '
        "correlation_param { kernel_size: 3 max_displacement: 1 stride_1: 2 } }",
        {"a": (1, 2, 7, 8), "b": (1, 2, 7, 8)},
    )
    a, b = normal(1, 2, 7, 8), normal(1, 2, 7, 8)
    expected = [
        [
            [
                (
                    a[0, :, i * 2 + 1 : i * 2 + 4, j * 2 + 1 : j * 2 + 4]
                    * b[0, :, i * 2 + 1 + dy : i * 2 + 4 + dy, j * 2 + 1 + dx : j * 2 + 4 + dx]
                ).mean()
                for j in range(2)
            ]
            for i in range(2)
        ]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
    ]
    np.testing.assert_allclose(compute(net, a=a, b=b)[0], expected, rtol=1e-5, atol=1e-6)
