"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/deconvolution.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import Array, agree, make, numbers, one, refusal

import netsurgery
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


def graph_of(net: netsurgery.Net, *, plain: bool = False) -> list[tuple[str, int]]:
    """Each node's operator and group."""
    nodes = netsurgery.to_onnx(net, plain=plain).graph.node
    return [(node.op_type, next((a.i for a in node.attribute if a.name == "group"), 1)) for node in nodes]


@pytest.mark.parametrize(
    ("channels", "kernel", "pad", "dilation", "group", "operator"),
    [
        (16, (3, 3), 1, 1, 1, "Conv"),
        (16, (5, 3), 3, 1, 1, "ConvTranspose"),  # pad beyond the kernel's width: no Conv has less than none
        (16, (5, 4), 3, 1, 1, "Conv"),
        (16, (3, 3), 0, 1, 1, "ConvTranspose"),  # the top is larger than the bottom
        (32, (3, 2), 3, 3, 2, "Conv"),
        (16, (3, 3), 1, 1, 16, "Conv"),
        (24, (3, 3), 1, 1, 1, "ConvTranspose"),  # no whole blocks of channels
    ],
)
def test_deconvolution_of_stride_1_that_does_not_enlarge_is_a_convolution(
    channels: int, kernel: tuple[int, int], pad: int, dilation: int, group: int, operator: str
) -> None:
    outputs = 2 if group == 1 else group
    w, b = numbers(channels, outputs // group, *kernel) / 8, numbers(outputs)
    x = numbers(2, channels, 9, 8)
    said = f"num_output: {outputs} kernel_h: {kernel[0]} kernel_w: {kernel[1]} pad: {pad} dilation: {dilation} group: {group}"
    net = make(one("Deconvolution", f"convolution_param {{ {said} }}"), [w, b], x=x.shape)
    assert graph_of(net) == [(operator, group)]
    assert graph_of(net, plain=True) == [("ConvTranspose", group)]
    first, _ = agree(net, {"x": x}, {"x": numbers(1, channels, 11, 10)})
    np.testing.assert_allclose(first["y"], spread(x, w, b, 1, pad, dilation, group), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stray", [None, (0, 1, 0, 0), (2, 0, 3, 3)])
def test_deconvolution_that_mixes_no_channels_has_groups(stray: tuple[int, int, int, int] | None) -> None:
    """FCN's enlargements are dense layers whose weights surgery made bilinear on the diagonal, and 0 elsewhere."""
    w, b, x = np.zeros((3, 3, 4, 4), np.float32), numbers(3), numbers(2, 3, 5, 4)
    w[range(3), range(3)] = numbers(3, 4, 4)
    if stray:
        w[stray] = 0.5
    net = make(one("Deconvolution", "convolution_param { num_output: 3 kernel_size: 4 stride: 2 }"), [w, b], x=x.shape)
    assert graph_of(net) == [("ConvTranspose", 1 if stray else 3)]
    assert graph_of(net, plain=True) == [("ConvTranspose", 1)]
    first, _ = agree(net, {"x": x}, {"x": numbers(1, 3, 3, 7)})
    np.testing.assert_allclose(first["y"], spread(x, w, b, 2, 0, 1, 1), rtol=1e-4, atol=1e-5)


def test_deconvolution_without_weights_keeps_its_group() -> None:
    params = "convolution_param { num_output: 3 kernel_size: 4 stride: 2 bias_term: false }"
    net = make(one("Deconvolution", params), [np.zeros((3, 3, 4, 4), np.float32)], x=(1, 3, 5, 4))
    assert graph_of(net) == [("ConvTranspose", 1)]
