"""Forms that forks gave to layers of a known name: each against its own loops, or against the same thing said otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fork_loops import Array, hold, net

from netsurgery.errors import ShapeError

RNG = np.random.default_rng(3)
MAPS = RNG.normal(0, 1, (2, 3, 9, 8)).astype(np.float32)


# ---- Normalization and fused layers -----------------------------------------------------------------------------------------


def batch_norm(x: Array, mean: Array, variance: Array, factor: Array, scale: Array, bias: Array) -> list[Array]:
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        y[:, c] = (x[:, c] - mean[c] / factor[0]) / math.sqrt(variance[c] / factor[0] + 1e-5) * scale[c] + bias[c]
    return [y]


@pytest.mark.parametrize("eps", ["eps: 1e-7", "use_global_stats: false"])
def test_nvidias_batch_norm_has_five_blobs(eps: str) -> None:
    x = MAPS
    hold(net(f'type: "BatchNorm" top: "y" batch_norm_param {{ scale_bias: true {eps} }}', x.shape), [x], batch_norm)


def fused(x: Array, more: Array, w: Array, b: Array) -> list[Array]:
    y = np.einsum("nchw,mc->nmhw", x, w[:, :, 0, 0]) + b[:, None, None] + more
    return [np.where(y > 0, y, 0.25 * y)]


def test_intels_convolution_with_a_sum_and_a_relu() -> None:
    text = (
        'type: "Convolution" top: "y" convolution_param { num_output: 3 kernel_size: 1 relu: true negative_slope: 0.25'
    )
    x, more = MAPS, MAPS[::-1].copy()
    hold(net(f"{text} fusion_type: SUM_FUSION }}", x.shape, x.shape), [x, more], fused)


# ---- Sequences --------------------------------------------------------------------------------------------------------------


def lstm(x: Array, w: Array, r: Array, b: Array) -> list[Array]:
    streams, units = 2, r.shape[1]
    y = np.zeros((len(x), units))
    h = c = np.zeros((streams, units))
    for t in range(len(x) // streams):
        for n in range(streams):
            p = w @ x[t * streams + n] + b + (r @ h[n] if t else 0)
            i, f, o = (1 / (1 + np.exp(-p[k * units : (k + 1) * units])) for k in range(3))
            c[n] = (f * c[n] if t else 0) + i * np.tanh(p[3 * units :])
            y[t * streams + n] = o * np.tanh(c[n])
        h = y[t * streams : (t + 1) * streams]
    return [y]


def test_junhyuks_own_lstm_takes_rows() -> None:
    x = RNG.normal(0, 1, (8, 5)).astype(np.float32)
    hold(net('type: "Lstm" top: "y" lstm_param { num_output: 4 batch_size: 2 }', x.shape), [x], lstm)


def decoded(x: Array, going: Array) -> list[Array]:
    steps, streams, _ = x.shape
    y, score = np.full((streams, steps, 1, 1), -1.0), np.zeros((streams, 1, 1, 1))
    for n in range(streams):
        at, before = 0, -1
        for t in range(steps):
            best = int(x[t, n].argmax())
            score[n] -= x[t, n].max()
            if best not in (0, before):
                y[n, at], at = best, at + 1
            before = best
            if t + 1 == steps or going[t + 1, n] == 0:
                break
    return [y, score]


def test_ctc_stops_where_the_indicators_say() -> None:
    x = RNG.normal(0, 1, (7, 3, 4)).astype(np.float32)
    going = np.ones((7, 3), np.float32)
    going[0], going[4, 1], going[1, 2] = 0, 0, 0
    hold(net('type: "CTCGreedyDecoder" top: "y" top: "z" ', x.shape, going.shape), [x, going], decoded)


def test_ctc_by_labels_is_refused() -> None:
    with pytest.raises(ShapeError, match="time steps of the second bottom"):
        net('type: "CTCGreedyDecoder" top: "y"', (7, 3, 4), (3, 5)).shapes()
