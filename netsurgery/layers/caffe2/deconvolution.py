"""Deconvolution over three axes as operators of Caffe2, whose ConvTranspose has two: zeros between the numbers, then a convolution.

x, stride s       ->  x 0 .. 0 x 0 .. 0 x, s - 1 zeros between two     (N, C, s (size - 1) + 1 ..)
kernel, pad p     ->  the kernel turned around, extent - 1 - p zeros on both sides
"""

from __future__ import annotations

import numpy as np

from ..core import Array, Op, Tensor
from ..shared.windows import Windows
from .operators import conv, full, part


def emit_3d(op: Op, x: Tensor, w: Array, bias: Tensor | None, at: Windows, group: int) -> Tensor:
    """Shapes: x (N, C, D, H, W), w (C, num_output / group, kernel...)."""
    for axis, s in enumerate(at.stride, 2):
        if s > 1:
            x = _stretched(op, x, axis, s)
    pad = [e - 1 - p for e, p in zip(at.extent, at.pad, strict=True)]
    for axis, p in enumerate(pad, 2):
        x = part(op, x, 5, axis, -p, p - 1) if p < 0 else x
    c, m = w.shape[0] // group, w.shape[1]
    turned = (
        w.reshape(group, c, m, *w.shape[2:]).swapaxes(1, 2).reshape(group * m, c, *w.shape[2:])[..., ::-1, ::-1, ::-1]
    )
    windows = Windows(at.kernel, (1, 1, 1), tuple(max(p, 0) for p in pad), at.dilation)
    return conv(op, x, op.weight(np.ascontiguousarray(turned), "w"), bias, windows, group)


def _stretched(op: Op, x: Tensor, axis: int, s: int) -> Tensor:
    """x with s - 1 zeros behind each entry of an axis but the last one."""
    shape = op("Shape", x)
    sizes = [part(op, shape, 1, 0, i, i + 1) for i in range(5)]
    apart = op("ExpandDims", x, dims=(axis + 1,))
    zeros = full(op, 0.0, *sizes[: axis + 1], s - 1, *sizes[axis + 1 :])
    longer = op.reshape(
        op("Concat", apart, zeros, axis=axis + 1),
        *sizes[:axis],
        op("Mul", sizes[axis], op.ints(s)),
        *sizes[axis + 1 :],
    )
    return part(op, longer, 5, axis, 0, -s)
