"""OpenCV's remap with INTER_LINEAR, in NumPy, for `forward`. What `emit` needs is in remap_onnx.py."""

from __future__ import annotations

import numpy as np

from ..core import Array

STEPS = 32


def remap(x: Array, u: Array, v: Array, wrap: bool) -> Array:
    """y[m, :, i, j] = x[m] at column u[m, i, j], row v[m, i, j], between four pixels; beyond the border the image repeats (`wrap`) or its
    edge does.

    Shapes: x (M, C, H, W), u and v (M, I, J) -> (M, C, I, J).
    """
    (columns, a), (rows, b) = (
        (np.floor(t / STEPS).astype(np.int64), (t % STEPS / STEPS).astype(x.dtype)[:, None])
        for t in (np.rint(at.astype(np.float32) * np.float32(STEPS)) for at in (u, v))
    )
    item = np.arange(len(x))[:, None, None]

    def pixels(down: int, right: int) -> Array:
        row, column = rows + down, columns + right
        h, w = x.shape[2:]
        row, column = (row % h, column % w) if wrap else (row.clip(0, h - 1), column.clip(0, w - 1))
        y: Array = x.transpose(0, 2, 3, 1)[item, row, column].transpose(0, 3, 1, 2)
        return y

    y: Array = (1 - b) * ((1 - a) * pixels(0, 0) + a * pixels(0, 1)) + b * ((1 - a) * pixels(1, 0) + a * pixels(1, 1))
    return y
