"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/contrastiveloss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, loss, net_of


@pytest.mark.parametrize(("legacy", "expected"), [("false", (9 + (4 - 2) ** 2) / 4), ("true", (9 + 0) / 4)])
def test_contrastive_loss_of_a_similar_and_a_dissimilar_pair(legacy: str, expected: float) -> None:
    net = net_of(
        loss("ContrastiveLoss", "a b s", f"contrastive_loss_param {{ margin: 4 legacy_version: {legacy} }}"),
        {"a": (2, 2, 1, 1), "b": (2, 2), "s": (2, 1)},
    )
    y = compute(net, a=np.reshape([3, 0, 0, 2], (2, 2, 1, 1)), b=np.zeros((2, 2)), s=[[1.9], [0.9]])
    assert y == pytest.approx(expected)
