"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/smoothl1loss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, loss, net_of, normal


def test_smooth_l1_loss_with_weights_and_sigma() -> None:
    a, b, inside, outside = (normal(2, 3, 1, 2) for _ in range(4))
    shapes = dict.fromkeys("abwv", (2, 3, 1, 2))
    d = np.abs(inside * (a - b))
    three = net_of(loss("SmoothL1Loss", "a b w"), {k: shapes[k] for k in "abw"})
    assert compute(three, a=a, b=b, w=inside) == pytest.approx(np.where(d < 1, d * d / 2, d - 0.5).sum() / 2)
    four = net_of(loss("SmoothL1Loss", "a b w v", "smooth_l1_loss_param { sigma: 3 }"), shapes)
    expected = (outside * np.where(d < 1 / 9, 4.5 * d * d, d - 0.5 / 9)).sum() / 2
    assert compute(four, a=a, b=b, w=inside, v=outside) == pytest.approx(expected, rel=1e-5)
