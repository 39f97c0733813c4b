"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/sigmoidcrossentropyloss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, loss, net_of


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", 3 / 2),
        ("loss_param { normalization: VALID }", 3 / 6),
        ("loss_param { ignore_label: 1 normalization: FULL }", 2 / 6),
    ],
)
def test_sigmoid_cross_entropy_loss(fields: str, expected: float) -> None:
    """Six logits, of which three cost log 2 and the others nothing."""
    net = net_of(loss("SigmoidCrossEntropyLoss", "x t", fields), {"x": (2, 3), "t": (2, 3)})
    x, t = [[0, 0, 0], [99, 99, -99]], [[1, 0, 0], [1, 1, 0]]
    assert compute(net, x=x, t=t) == pytest.approx(expected * np.log(2))
