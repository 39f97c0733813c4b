"""Gradients of layers that mix channels: matrices, softmax, normalization over the map.

Source: BVLC/caffe src/caffe/layers/inner_product_layer.cpp, embed_layer.cpp, softmax_layer.cpp, mvn_layer.cpp (Backward_cpu);
    happynear/caffe-windows inner_product_layer.cpp
"""

from __future__ import annotations

import numpy as np

from ...kind import Kind
from ...layers.innerproduct import InnerProduct
from ...layers.lrn import LRN
from ...layers.mvn import MVN
from ...layers.shared.matrices import unit_rows
from ...layers.softmax import Softmax
from ..slot import Slot
from .rule import Rule, of, past


def inner_product(slot: Slot, kind: InnerProduct) -> None:
    """dx = dy W; dW = dy^T x; db = sum of dy. With `transpose` W lies the other way. A W with `normalize` is the one of length 1, whose
    gradient happynear's forks add to that of W as it is; a W that is a bottom has its gradient written."""
    x, dy = slot.bottoms[0].read_data(), slot.tops[0].read_diff()
    own = len(slot.bottoms) == 1
    holder = slot.blobs[0] if own else slot.bottoms[1]
    errors = dy.reshape(-1, dy.shape[-1])
    items = x.reshape(len(errors), -1)
    weight = holder.read_data().reshape(len(holder.read_data()), -1)
    if kind.normalize:
        weight = unit_rows(weight, items.shape[1])
    if slot.param_need[0] if own else slot.bottom_need[1]:
        total = items.T @ errors if kind.transpose else errors.T @ items
        (holder.add_diff if own else holder.write_diff)(total.reshape(holder.sizes))
    if len(slot.blobs) > 1 and slot.param_need[1]:
        slot.blobs[1].add_diff(errors.sum(0))
    if slot.bottom_need[0]:
        slot.bottoms[0].write_diff((errors @ (weight.T if kind.transpose else weight)).reshape(x.shape))


def embed(slot: Slot, kind: Kind) -> None:
    """dW: each row is the sum of the dy of the places where it was taken; db = sum of dy. Indices have no gradient."""
    index = slot.bottoms[0].read_data().astype(np.int64).reshape(-1)
    errors = slot.tops[0].read_diff().reshape(len(index), -1)
    if slot.param_need[0]:
        total = np.zeros(slot.blobs[0].sizes, np.float32)
        np.add.at(total, index, errors)
        slot.blobs[0].add_diff(total)
    if len(slot.blobs) > 1 and slot.param_need[1]:
        slot.blobs[1].add_diff(errors.sum(0))


def softmax(slot: Slot, kind: Softmax) -> None:
    """dx = (dy - sum of dy y) y, also where the bottom needs none."""
    y, dy = slot.tops[0].read_data(), slot.tops[0].read_diff()
    slot.bottoms[0].write_diff((dy - (dy * y).sum(kind.along, keepdims=True)) * y)


def mvn(slot: Slot, kind: MVN) -> None:
    """dx = dy - mean(dy), with variance (dy - mean(dy) - y mean(dy y)) / (std + eps), std being kept from the forward."""
    y, dy = slot.tops[0].read_data(), slot.tops[0].read_diff()
    axes = tuple(kind.axes)
    dx = dy - dy.mean(axes, keepdims=True)
    if kind.normalize_variance:
        dx = dx - y * (dy * y).mean(axes, keepdims=True)
        x = past(slot).reshape(y.shape)
        centred = x - x.mean(axes, keepdims=True)
        dx = dx / (np.sqrt((centred * centred).mean(axes, keepdims=True)) + np.float32(kind.eps))
    slot.bottoms[0].write_diff(dx.reshape(slot.bottoms[0].sizes))


def lrn(slot: Slot, kind: LRN) -> None:
    """With s the base of the power, kept from the forward, and sums over the neighbours:
    dx = dy s^-beta - 2 alpha beta / n * x * sum(dy y / s); within a channel x s^-beta stands for y."""
    if not slot.bottom_need[0]:
        return
    x, y, dy = slot.bottoms[0].read_data(), slot.tops[0].read_data(), slot.tops[0].read_diff()
    base = kind.base(past(slot))
    root = base ** np.float32(-kind.beta)
    terms = dy * (x * root if kind.within else y) / base
    slot.bottoms[0].write_diff(dy * root - np.float32(2 * kind.beta) * x * kind.neighbours(terms))


RULES: dict[str, Rule] = {
    "Embed": embed,
    "InnerProduct": of(InnerProduct, inner_product),
    "LRN": of(LRN, lrn),
    "MVN": of(MVN, mvn),
    "Softmax": of(Softmax, softmax),
}
