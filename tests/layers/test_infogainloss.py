"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/infogainloss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, labels, loss, net_of, normal


def test_infogain_loss_weighs_every_share() -> None:
    x, label, matrix = normal(2, 3, 2), labels(3, 2, 2), normal(1, 1, 3, 3)
    label[0, 0] = 9
    net = net_of(
        loss("InfogainLoss", "x label h", "loss_param { ignore_label: 9 }"),
        {"x": (2, 3, 2), "label": (2, 2), "h": (1, 1, 3, 3)},
    )
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    total = sum(
        -matrix[0, 0, int(label[n, i]), k] * np.log(p[n, k, i])
        for n in range(2)
        for i in range(2)
        for k in range(3)
        if label[n, i] != 9
    )
    assert compute(net, x=x, label=label, h=matrix) == pytest.approx(total / 3, rel=1e-5)
