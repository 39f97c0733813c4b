"""Layers that compute something else in the TRAIN phase: Dropout, and BatchNorm by the batch.

Source: BVLC/caffe src/caffe/layers/dropout_layer.cpp, batch_norm_layer.cpp
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .kind_op import KindOp
from .op import Op, put
from .settings import random
from .slot import Slot

if TYPE_CHECKING:
    from .blob import Array


class DropoutOp(KindOp):
    """y = x m / (1 - p), m being 1 with probability 1 - p. dx = dy m / (1 - p)."""

    def setup(self) -> None:
        super().setup()
        inner = self.slot.params.last("dropout_param")
        self.ratio = float(inner.last("dropout_ratio", 0.5)) if inner is not None else 0.5
        self.mask: Array | None = None

    @property
    def is_eager(self) -> bool:
        return True

    def forward(self) -> None:
        x = self.slot.bottoms[0].read_data()
        scale = np.float32(1 / (1 - self.ratio))
        self.mask = (random().random(x.shape, np.float32) >= self.ratio).astype(np.float32) * scale
        put(self.slot.tops[0], x * self.mask)

    def backward(self) -> bool:
        if self.slot.bottom_need[0] and self.mask is not None:
            self.slot.bottoms[0].write_diff(self.slot.tops[0].read_diff() * self.mask)
        return True


class BatchNormOp(KindOp):
    """y = (x - mean) / sqrt(var + eps), both of the batch and its positions; the stored ones follow them:
    sum = sum * fraction + new, of which `blobs[2]` counts the weight.

    dx = (dy - mean(dy) - y mean(dy y)) / sqrt(var + eps).
    """

    def setup(self) -> None:
        super().setup()
        inner = self.slot.params.last("batch_norm_param")
        get = inner.last if inner is not None else (lambda name, default: default)
        self.by_batch = not get("use_global_stats", self.slot.phase == "TEST")
        self.eps = np.float32(get("eps", 1e-5))
        self.fraction = np.float32(get("moving_average_fraction", 0.999))
        self.saved: tuple[Array, Array, tuple[int, ...], list[int]] | None = None

    @property
    def is_eager(self) -> bool:
        return self.by_batch or super().is_eager

    def forward(self) -> None:
        if not self.by_batch:
            super().forward()
            return
        slot = self.slot
        x = slot.bottoms[0].read_data()
        axes = (0, *range(2, x.ndim))
        ones = [1, -1, *[1] * (x.ndim - 2)] if x.ndim > 1 else [1]
        mean, centred = (x.mean(axes, dtype=np.float64).astype(np.float32), x) if x.ndim > 1 else (x.mean(), x)
        centred = x - np.reshape(mean, ones)
        var = np.mean(centred * centred, axes, dtype=np.float64).astype(np.float32)
        root = np.sqrt(var + self.eps)
        y = centred / np.reshape(root, ones)
        count = x.size // max(mean.size, 1)
        sums = [blob.data_memory.writable() for blob in slot.blobs]
        sums[2][0] = sums[2][0] * self.fraction + 1
        sums[0][...] = sums[0] * self.fraction + mean
        sums[1][...] = sums[1] * self.fraction + var * np.float32(count / (count - 1) if count > 1 else 1)
        self.saved = y, root, axes, ones
        put(slot.tops[0], y, adopt=False)

    def backward(self) -> bool:
        if not self.by_batch or self.saved is None:
            return False
        y, root, axes, ones = self.saved
        dy = self.slot.tops[0].read_diff()
        mean = np.reshape(dy.mean(axes), ones)
        dx = (dy - mean - y * np.reshape((dy * y).mean(axes), ones)) / np.reshape(root, ones)
        self.slot.bottoms[0].write_diff(dx)
        return True


OPS: dict[str, Callable[[Slot], Op]] = {"Dropout": DropoutOp}
