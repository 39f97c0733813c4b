"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/softmaxwithloss.py."""

from __future__ import annotations

import numpy as np
import pytest
from losses import compute, labels, loss, net_of, normal

PLACES = [(1, (4, 6), (4,)), (1, (2, 5, 3, 4), (2, 1, 3, 4)), (1, (2, 5, 3, 4), (2, 3, 4)), (-2, (2, 5, 3), (2, 3))]


DIVISORS = {
    "": "valid",
    "normalization: FULL": "all",
    "normalization: BATCH_SIZE": "outer",
    "normalization: NONE": "one",
    "normalize: false": "outer",
    "normalize: false normalization: VALID": "valid",
}


@pytest.mark.parametrize("fields", DIVISORS)
@pytest.mark.parametrize(("axis", "shape", "label_shape"), PLACES)
def test_softmax_with_loss(axis: int, shape: tuple[int, ...], label_shape: tuple[int, ...], fields: str) -> None:
    at = axis % len(shape)
    if at != 1:
        label_shape = (*shape[:at], *shape[at + 1 :])
    x, label = normal(*shape), labels(shape[at], *label_shape)
    label.flat[0] = 255  # no class, and ignored
    net = net_of(
        loss(
            "SoftmaxWithLoss",
            "x label",
            f"softmax_param {{ axis: {axis} }} loss_param {{ ignore_label: 255 {fields} }}",
            'top: "y" top: "p"',
        ),
        {"x": shape, "label": label_shape},
    )
    p = np.exp(x) / np.exp(x).sum(axis=at, keepdims=True)
    rows = np.moveaxis(p, at, -1).reshape(-1, shape[at])
    kept = label.reshape(-1) != 255
    total = -np.log(rows[kept, label.reshape(-1)[kept].astype(int)]).sum()
    divisor = {"valid": kept.sum(), "all": kept.size, "outer": np.prod(shape[:at]), "one": 1}[DIVISORS[fields]]
    assert compute(net, x=x, label=label) == pytest.approx(total / divisor)


def test_softmax_with_loss_holds_a_vanishing_share_above_zero() -> None:
    net = net_of(loss("SoftmaxWithLoss", "x label"), {"x": (1, 2), "label": (1,)})
    assert compute(net, x=[[0, 500]], label=[0]) == pytest.approx(-np.log(np.finfo(np.float32).tiny))
