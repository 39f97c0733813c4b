"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/resample.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import Array, agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


def resample(x: Array, new: tuple[int, int], method: str, antialias: bool) -> Array:
    """Resample, one output at a time."""
    (h, w), (rows, columns) = x.shape[2:], new
    fx, fy = w / columns, h / rows
    smooth = antialias and (fx > 1 or fy > 1)
    ax, ay = (1 / fx, 1 / fy) if smooth else (1, 1)

    def k(d: float) -> float:
        d = abs(d)
        if method == "LINEAR":
            return max(0.0, 1 - d)
        return d * d * (1.5 * d - 2.5) + 1 if d <= 1 else d * (d * (2.5 - 0.5 * d) - 4) + 2 if d < 2 else 0

    y = np.zeros((*x.shape[:2], rows, columns))
    for i, j in np.ndindex(rows, columns):
        u, v = j * fx + fy / 2 - 0.5, i * fy + fx / 2 - 0.5
        weights = np.array([[k(ay * (v - r)) * k(ax * (u - c)) for c in range(w)] for r in range(h)])
        if weights.sum():
            y[:, :, i, j] = (weights * x).sum((2, 3)) / weights.sum()
    return y


@pytest.mark.parametrize("method", ["LINEAR", "CUBIC"])
@pytest.mark.parametrize("antialias", [True, False])
def test_resample_by_unequal_factors(method: str, antialias: bool) -> None:
    params = f"resample_param {{ height: 4 width: 9 type: {method} antialias: {str(antialias).lower()} }}"
    net = make(one("Resample", params), x=(1, 2, 6, 6))
    feeds = [{"x": numbers(2, 2, h, w)} for h, w in ((6, 6), (5, 12), (11, 3), (3, 7))]
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], resample(feed["x"], (4, 9), method, antialias), rtol=1e-4, atol=1e-5)


def test_resample_to_the_size_of_another_blob() -> None:
    for method in ("NEAREST", "LINEAR"):
        params = f"resample_param {{ type: {method} }}"
        net = make(one("Resample", params, ("x", "ref")), x=(1, 2, 6, 8), ref=(1, 1, 3, 4))
        first, _ = agree(
            net,
            {"x": numbers(1, 2, 6, 8), "ref": numbers(1, 1, 3, 4)},
            {"x": numbers(2, 2, 4, 5), "ref": numbers(2, 3, 8, 10)},
        )
        assert first["y"].shape == (1, 2, 3, 4)
    feed = {"x": (1, 1, 8, 4), "ref": (1, 1, 2, 4)}
    net = make(one("Resample", "resample_param { type: NEAREST }", ("x", "ref")), x=(1, 1, 4, 4), ref=(1, 1, 4, 4))
    assert "nearest from 8x4 to 2x4" in refusal(lambda: net.shapes(feed), ShapeError)
