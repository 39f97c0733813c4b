"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/deconvolution.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import Array, agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


def spread(x: Array, w: Array, b: Array, stride: int, pad: int, dilation: int, group: int) -> Array:
    """Deconvolution, one product at a time."""
    n, c, *size = x.shape
    m = w.shape[1] * group
    full = [stride * (s - 1) + dilation * (k - 1) + 1 for s, k in zip(size, w.shape[2:], strict=True)]
    y = np.zeros((n, m, *full))
    for channel in range(c):
        for j in range(w.shape[1]):
            out = channel // (c // group) * w.shape[1] + j
            for i in np.ndindex(*size):
                for k in np.ndindex(*w.shape[2:]):
                    at = tuple(stride * a + dilation * o for a, o in zip(i, k, strict=True))
                    y[(slice(None), out, *at)] += x[(slice(None), channel, *i)] * w[(channel, j, *k)]
    inner = tuple(slice(pad, s - pad) for s in full)
    return y[(slice(None), slice(None), *inner)] + b.reshape(-1, *[1] * len(size))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "dilation", "group"),
    [
        ((5,), (3,), 2, 1, 1, 1),
        ((3, 4), (3, 2), 2, 0, 2, 2),
        ((3, 4), (4, 4), 3, 4, 1, 1),
        ((2, 3, 2), (2, 2, 2), 2, 1, 1, 4),
        ((1, 1), (1, 1), 1, 0, 1, 2),
    ],
)
def test_deconvolution_of_any_rank(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: int, pad: int, dilation: int, group: int
) -> None:
    w, b, x = numbers(4, 8 // group, *kernel), numbers(8), numbers(2, 4, *size)
    kernels = " ".join(f"kernel_size: {k}" for k in kernel)
    params = f"num_output: 8 {kernels} stride: {stride} pad: {pad} dilation: {dilation} group: {group}"
    net = make(one("Deconvolution", f"convolution_param {{ {params} }}"), [w, b], x=x.shape)
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 4, *(n + 2 for n in size))})
    np.testing.assert_allclose(first["y"], spread(x, w, b, stride, pad, dilation, group), rtol=1e-4, atol=1e-5)


def test_deconvolution_refuses_padding_that_leaves_nothing() -> None:
    net = make(one("Deconvolution", "convolution_param { num_output: 1 kernel_size: 3 pad: 2 }"), x=(1, 1, 1, 9))
    assert "padding leaves nothing of the top: [-1, 7]" in refusal(lambda: net.shapes(), ShapeError)
