"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/imresize.py."""

from __future__ import annotations

import numpy as np
from one_layer import agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


def test_imresize_follows_openpose() -> None:
    x, new = numbers(1, 2, 5, 7), (20, 28)
    wide = np.zeros((1, 2, *new))

    def taps(old: int, many: int, at: int) -> list[tuple[int, float]]:
        p = (at - (many / old / 2 - 0.5)) * (old / many)
        q = max(int(p + 1e-5), 0)
        after = min(q + 1, old - 1)
        d = p - q
        shares = (
            -0.5 * d**3 + d**2 - 0.5 * d,
            1.5 * d**3 - 2.5 * d**2 + 1,
            -1.5 * d**3 + 2 * d**2 + 0.5 * d,
            0.5 * d**3 - 0.5 * d**2,
        )
        return list(zip((max(q - 1, 0), q, after, min(after + 1, old - 1)), shares, strict=True))

    for i, j in np.ndindex(*new):
        for row, a in taps(5, 20, i):
            for column, b in taps(7, 28, j):
                wide[:, :, i, j] += a * b * x[:, :, row, column]
    net = make(one("ImResize", "imresize_param { factor: 4 scale_gap: 0.3 start_scale: 1.0 }"), x=x.shape)
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 2, 3, 4)})
    np.testing.assert_allclose(first["y"], wide, rtol=1e-4, atol=1e-5)
    net = make(one("ImResize", "imresize_param { target_spatial_height: 6 target_spatial_width: 11 }"), x=x.shape)
    assert agree(net, {"x": x}, {"x": numbers(1, 2, 9, 4)})[0]["y"].shape == (1, 2, 6, 11)
    assert "batch: 2\n  expected: 1" in refusal(lambda: net.shapes({"x": (2, 2, 5, 7)}), ShapeError)
