"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/lstm_junhyuk.py."""

from __future__ import annotations

import numpy as np
from losses import compute, net_of, normal


def test_the_ocr_lstm_reads_its_clip_at_step_plus_stream() -> None:
    """As the forks do: stream n of step t begins where clip[t + n] is 0, not clip[t * N + n]."""
    draw = np.random.default_rng(2)
    blobs = [draw.standard_normal(shape).astype(np.float32) for shape in ((12, 2), (12, 3), (12,))]
    layer = 'layer {{ name: "l" type: "Lstm" bottom: "x" {} top: "y" lstm_param {{ num_output: 3 }} }}'
    both = net_of(layer.format('bottom: "clip"'), {"x": (4, 2, 2), "clip": (8,)}, {"l": blobs})
    one = net_of(layer.format('bottom: "clip"'), {"x": (4, 1, 2), "clip": (4,)}, {"l": blobs})
    x, clip = normal(4, 2, 2), np.array([0, 1, 0, 1, 1, 9, 9, 9], np.float32)
    y = compute(both, x=x, clip=clip)
    for n in range(2):
        np.testing.assert_allclose(compute(one, x=x[:, n : n + 1], clip=clip[n : n + 4])[:, 0], y[:, n], rtol=1e-12)
    plain = net_of(layer.format(""), {"x": (4, 2, 2)}, {"l": blobs})
    np.testing.assert_allclose(compute(plain, x=x)[:, 1], compute(one, x=x[:, 1:], clip=[0, 1, 1, 1])[:, 0], rtol=1e-12)
