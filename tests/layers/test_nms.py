"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/nms.py."""

from __future__ import annotations

import numpy as np
from detections import Array
from one_layer import agree, make, one, refusal

from netsurgery.errors import ShapeError, UnsupportedError


def peaks_by_hand(x: Array, threshold: float, parts: int, most: int) -> Array:
    top = np.zeros((1, parts, most + 1, 3), np.float32)
    h, w = x.shape[2:]
    for part in range(parts):
        m, found = x[0, part].astype(np.float64), 0
        for y in range(1, h - 1):
            for c in range(1, w - 1):
                around = np.delete(m[y - 1 : y + 2, c - 1 : c + 2].ravel(), 4)
                if m[y, c] > threshold and (m[y, c] > around).all():
                    if found < most:
                        rows, columns = range(max(1, y - 3), min(h, y + 4)), range(max(1, c - 3), min(w, c + 4))
                        near = [(i * m[j, i], j * m[j, i], m[j, i]) for j in rows for i in columns if m[j, i] > 0]
                        sx, sy, total = np.sum(near, axis=0)
                        top[0, part, found + 1] = sx / total, sy / total, m[y, c]
                    found += 1
        top[0, part, 0, 0] = found
    return top


def test_peaks_of_heatmaps() -> None:
    net = make(one("Nms", "nms_param { threshold: 0.25 max_peaks: 4 num_parts: 3 }"), x=(1, 5, 9, 12))
    feeds = [
        {"x": np.random.default_rng(n).normal(0, 0.5, (1, 5, *s)).astype(np.float32)}
        for n, s in enumerate(((9, 12), (20, 7), (3, 3)))
    ]
    feeds.append({"x": np.full((1, 5, 6, 6), 0.5, np.float32)})  # a plateau has no peak
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], peaks_by_hand(feed["x"], 0.25, 3, 4), rtol=1e-5, atol=1e-5)


def test_heatmaps_that_are_refused() -> None:
    assert "channels, at least: 5" in refusal(make(one("Nms"), x=(1, 5, 9, 9)).shapes, ShapeError)
    assert "batch: 2" in refusal(make(one("Nms"), x=(2, 15, 9, 9)).shapes, ShapeError)
    bad = make(one("Nms", "nms_param { max_peaks: 0 }"), x=(1, 15, 9, 9))
    assert "max_peaks 0" in refusal(bad.require_supported, UnsupportedError)
