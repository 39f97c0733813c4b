"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/euclideanloss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, loss, net_of, normal


def test_euclidean_loss_takes_bottoms_of_one_count() -> None:
    net = net_of(loss("EuclideanLoss", "a b"), {"a": (2, 3, 2), "b": (2, 6)})
    a, b = normal(4, 3, 2), normal(4, 6)
    assert compute(net, a=a, b=b) == pytest.approx(np.square(a.reshape(4, 6) - b).sum() / 8)
