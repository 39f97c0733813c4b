"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/hingeloss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, labels, loss, net_of, normal


@pytest.mark.parametrize("shape", [(3,), (3, 1, 1, 1), (3, 2)])
def test_hinge_loss_reads_the_first_labels(shape: tuple[int, ...]) -> None:
    x, label = normal(3, 2, 2), labels(4, *shape)
    signs = np.where(np.arange(4) == label.reshape(-1)[:3, None], -1, 1)
    expected = np.maximum(1 + signs * x.reshape(3, 4), 0)
    for norm, power in (("L1", 1), ("L2", 2)):
        net = net_of(
            loss("HingeLoss", "x label", f"hinge_loss_param {{ norm: {norm} }}"), {"x": (3, 2, 2), "label": shape}
        )
        assert compute(net, x=x, label=label) == pytest.approx((expected**power).sum() / 3)
