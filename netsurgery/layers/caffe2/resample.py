"""Resample as Caffe2's operators: a matrix for each axis, the shares of the old places in the new ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core import Array, Op, Tensor
from .operators import along_axis


def emit(op: Op, x: Tensor, new: Sequence[int], method: str, antialias: bool) -> Tensor:
    """x (N, C, H, W) at the height and width `new`."""
    old = [op.number(n) for n in x.shape[2:]]
    factors = [np.float32(n) / np.float32(m) for n, m in zip(old, new, strict=True)]
    smooth = antialias and max(factors) > 1
    for axis in (0, 1):
        f, other = factors[axis], factors[1 - axis]
        at = np.arange(new[axis], dtype=np.float32) * f + other / 2 - np.float32(0.5)
        if method == "NEAREST":
            x = op("Gather", x, op.const(np.floor(at + np.float32(0.5)), "int64"), axis=2 + axis)
            continue
        d = np.abs(at[:, None] - np.arange(old[axis])) / (f if smooth else 1)
        k = np.maximum(1 - d, 0) if method == "LINEAR" else _cubic(d)
        total = k.sum(axis=1, keepdims=True)
        x = along_axis(op, x, np.where(total == 0, 0, k / np.where(total == 0, 1, total)), 2 + axis)
    return x


def _cubic(d: Array) -> Array:
    """Catmull-Rom's kernel at the distance d."""
    near, far = 1.5 * d**3 - 2.5 * d**2 + 1, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))
