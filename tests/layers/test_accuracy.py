"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/accuracy.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import RNG, Array, agree, make, numbers, one


def accuracy(x: Array, labels: Array, axis: int, top_k: int, ignored: int | None) -> tuple[float, Array]:
    """Accuracy as Caffe counts it, one label at a time."""
    rows = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
    of_class, hits = np.zeros(x.shape[axis]), np.zeros(x.shape[axis])
    for row, value in zip(rows, labels.reshape(-1), strict=True):
        label = int(value)
        if label != ignored:
            of_class[label] += 1
            hits[label] += sum(score >= row[label] for score in row) - 1 < top_k
    share = hits.sum() / of_class.sum() if of_class.sum() else 0
    return share, np.divide(hits, of_class, out=np.zeros_like(hits), where=of_class > 0)


@pytest.mark.parametrize(
    ("shape", "label", "axis", "top_k", "ignored"),
    [
        ((4, 5), (4,), 1, 1, None),
        ((4, 5), (4, 1, 1, 1), -1, 3, 2),
        ((2, 5, 3, 4), (2, 1, 3, 4), 1, 2, 255),
        ((2, 5, 3, 4), (2, 3, 4), -3, 1, -1),
        ((5, 3), (3,), 0, 1, None),
        ((6,), (1,), 0, 2, None),
    ],
)
def test_accuracy(shape: tuple[int, ...], label: tuple[int, ...], axis: int, top_k: int, ignored: int | None) -> None:
    ignore = "" if ignored is None else f"ignore_label: {ignored}"
    params = f"accuracy_param {{ axis: {axis} top_k: {top_k} {ignore} }}"
    net = make(one("Accuracy", params, ("x", "label"), ("y", "per_class")), x=shape, label=label)
    x = RNG.integers(0, 4, shape).astype(np.float32)  # with ties
    labels = RNG.integers(0, shape[axis], label).astype(np.float32)
    feeds = [{"x": x, "label": labels}]
    if ignored is not None:
        some = np.where(RNG.random(label) < 0.4, np.float32(ignored), labels)
        feeds += [{"x": x, "label": some}, {"x": x, "label": np.full(label, ignored, np.float32)}]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        share, by_class = accuracy(feed["x"], feed["label"], axis, top_k, ignored)
        np.testing.assert_allclose(got["y"], share, rtol=1e-6)
        np.testing.assert_allclose(got["per_class"], by_class, rtol=1e-6)


def test_accuracy_of_nothing_is_zero() -> None:
    chosen = 'layer { name: "f" type: "Filter" bottom: "x" bottom: "label" bottom: "use" top: "fx" top: "fl" }'
    net = make(chosen + one("Accuracy", bottoms=("fx", "fl")), x=(4, 3), label=(4,), use=(4, 1))
    feed = {"x": numbers(4, 3), "label": np.zeros(4, np.float32)}
    none, two = agree(
        net,
        {**feed, "use": np.zeros((4, 1), np.float32)},
        {**feed, "use": np.array([[0.5], [0], [-1], [0]], np.float32)},
    )
    assert none["y"] == 0 and none["fx"].shape == (0, 3) and two["fx"].shape == (2, 3)
