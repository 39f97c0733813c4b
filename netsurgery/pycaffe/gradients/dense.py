"""Gradients of layers that mix channels: matrices, softmax, normalization over the map.

Source: BVLC/caffe src/caffe/layers/inner_product_layer.cpp, embed_layer.cpp, softmax_layer.cpp, mvn_layer.cpp (Backward_cpu)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..slot import Slot


def inner_product(slot: Slot, kind: Any) -> None:
    """dx = dy W; dW = dy^T x; db = sum of dy. With `transpose` W lies the other way."""
    x, dy = slot.bottoms[0].read_data(), slot.tops[0].read_diff()
    weight = slot.blobs[0].read_data()
    errors = dy.reshape(-1, kind.num_output)
    items = x.reshape(len(errors), -1)
    if slot.param_need[0]:
        slot.blobs[0].add_diff(items.T @ errors if kind.transpose else errors.T @ items)
    if len(slot.blobs) > 1 and slot.param_need[1]:
        slot.blobs[1].add_diff(errors.sum(0))
    if slot.bottom_need[0]:
        slot.bottoms[0].write_diff((errors @ (weight.T if kind.transpose else weight)).reshape(x.shape))


def embed(slot: Slot, kind: Any) -> None:
    """dW: each row is the sum of the dy of the places where it was taken; db = sum of dy. Indices have no gradient."""
    index = slot.bottoms[0].read_data().astype(np.int64).reshape(-1)
    errors = slot.tops[0].read_diff().reshape(len(index), -1)
    if slot.param_need[0]:
        total = np.zeros(slot.blobs[0].sizes, np.float32)
        np.add.at(total, index, errors)
        slot.blobs[0].add_diff(total)
    if len(slot.blobs) > 1 and slot.param_need[1]:
        slot.blobs[1].add_diff(errors.sum(0))


def softmax(slot: Slot, kind: Any) -> None:
    """dx = (dy - sum of dy y) y."""
    if slot.bottom_need[0]:
        y, dy = slot.tops[0].read_data(), slot.tops[0].read_diff()
        slot.bottoms[0].write_diff((dy - (dy * y).sum(kind.along, keepdims=True)) * y)


def mvn(slot: Slot, kind: Any) -> None:
    """dx = dy - mean(dy), with variance (dy - mean(dy) - y mean(dy y)) / (std + eps)."""
    x, y, dy = slot.bottoms[0].read_data(), slot.tops[0].read_data(), slot.tops[0].read_diff()
    axes = tuple(kind.axes)
    dx = dy - dy.mean(axes, keepdims=True)
    if kind.normalize_variance:
        dx = dx - y * (dy * y).mean(axes, keepdims=True)
        centred = x - x.mean(axes, keepdims=True)
        dx = dx / (np.sqrt((centred * centred).mean(axes, keepdims=True)) + np.float32(kind.eps))
    slot.bottoms[0].write_diff(dx)


RULES: dict[str, Callable[[Slot, Any], None]] = {
    "Embed": embed,
    "InnerProduct": inner_product,
    "MVN": mvn,
    "Softmax": softmax,
}
