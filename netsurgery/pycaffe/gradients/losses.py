"""Gradients of the losses. The diff of the top is the loss weight, or what the script has put there.

Source: BVLC/caffe src/caffe/layers/*_loss_layer.cpp (Backward_cpu)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ...kind import Kind
from ...layers.contrastiveloss import ContrastiveLoss
from ...layers.hingeloss import HingeLoss
from ...layers.infogainloss import InfogainLoss
from ...layers.sigmoidcrossentropyloss import SigmoidCrossEntropyLoss
from ...layers.softmaxwithloss import SoftmaxWithLoss
from ..slot import Slot
from .rule import Rule, of, past

if TYPE_CHECKING:
    from ..blob import Array

NEAR = np.float32(1e-4)
"""What Caffe adds to a distance before it divides by it."""
SMALLEST = np.float32(1e-20)
"""Probabilities are at least this before Caffe divides by them."""


def _weight(slot: Slot) -> np.float32:
    """The diff of the loss."""
    return np.float32(slot.tops[0].read_diff().reshape(-1)[0])


def _no_labels(slot: Slot, *bottoms: int) -> None:
    for i in bottoms:
        if i < len(slot.bottom_need) and slot.bottom_need[i]:
            raise UnsupportedError(
                f"bottom {i} ('{slot.bottom_names[i]}') is to have a gradient, and is a label",
                layer=slot,
                expected="no parameters below the labels",
                fix="propagate_down: true propagate_down: false in the layer",
            )


def _places(slot: Slot, axis: int) -> tuple[Array, NDArray[np.int64], int, int]:
    """The first bottom as (outer, classes, inner), labels as (outer, inner), and both counts."""
    x = past(slot)
    axis %= x.ndim
    outer = int(np.prod(x.shape[:axis]))
    rows = x.reshape(outer, x.shape[axis], -1)
    label = slot.bottoms[1].read_data().astype(np.int64).reshape(outer, -1)
    return rows, label, outer, rows.shape[2]


def _softmax(rows: Array) -> Array:
    e = np.exp(rows - rows.max(axis=1, keepdims=True))
    p: Array = e / e.sum(axis=1, keepdims=True)
    return p


def softmax_with_loss(slot: Slot, kind: SoftmaxWithLoss) -> None:
    """dx = w (p - onehot(label)) / normalizer, 0 where the label is ignored."""
    _no_labels(slot, 1)
    if not slot.bottom_need[0]:
        return
    rows, label, outer, inner = _places(slot, kind.along)
    dx = _softmax(rows)
    counts = np.full(label.shape, True) if kind.loss.ignore_label is None else label != kind.loss.ignore_label
    i, j = np.nonzero(counts)
    dx[i, label[i, j], j] -= 1
    dx *= counts[:, np.newaxis, :]
    k = _weight(slot) / np.float32(kind.loss.divisor(outer, inner, int(counts.sum())))
    slot.bottoms[0].write_diff((dx * k).reshape(slot.bottoms[0].sizes))


def infogain(slot: Slot, kind: InfogainLoss) -> None:
    """dx = w (p sum(H[label]) - H[label]) / normalizer, 0 where the label is ignored."""
    _no_labels(slot, 1, 2)
    if not slot.bottom_need[0]:
        return
    rows, label, outer, inner = _places(slot, kind.along)
    classes = rows.shape[1]
    gains = slot.bottoms[2].read_data().reshape(classes, classes)
    counts = np.full(label.shape, True) if kind.loss.ignore_label is None else label != kind.loss.ignore_label
    targets = np.where(counts, label, 0)
    dx = _softmax(rows) * gains.sum(1)[targets][:, np.newaxis, :] - gains[targets].transpose(0, 2, 1)
    dx = dx * counts[:, np.newaxis, :]
    k = _weight(slot) / np.float32(kind.loss.divisor(outer, inner, int(counts.sum())))
    slot.bottoms[0].write_diff((dx * k).reshape(slot.bottoms[0].sizes))


def sigmoid_cross_entropy(slot: Slot, kind: SigmoidCrossEntropyLoss) -> None:
    """dx = w (sigmoid(x) - target) / normalizer, 0 where the target is ignored."""
    _no_labels(slot, 1)
    if not slot.bottom_need[0]:
        return
    x = past(slot)
    target = slot.bottoms[1].read_data().reshape(x.shape)
    dx = 1 / (1 + np.exp(-x)) - target
    counts = x.size
    if kind.loss.ignore_label is not None:
        keep = target.astype(np.int64) != kind.loss.ignore_label
        dx, counts = dx * keep, int(keep.sum())
    k = _weight(slot) / np.float32(kind.loss.divisor(len(x), x.size // max(len(x), 1), counts))
    slot.bottoms[0].write_diff(dx * k)


def euclidean(slot: Slot, kind: Kind) -> None:
    """dx0 = w (x0 - x1) / N; dx1 = -dx0."""
    a, b = past(slot), past(slot, 1)
    k = _weight(slot) / np.float32(len(a))
    difference = a - b.reshape(a.shape)
    for need, bottom, sign in zip(slot.bottom_need, slot.bottoms, (1, -1), strict=True):
        if need:
            bottom.write_diff((sign * k * difference).reshape(bottom.sizes))


def hinge(slot: Slot, kind: HingeLoss) -> None:
    """With m = max(0, 1 + s x), s = -1 for the label's class and 1 for others: dx = w s (L1: [m > 0], L2: 2 m) / N.

    Caffe lays m where dx goes, so that a second backward takes the first one's dx for it."""
    _no_labels(slot, 1)
    if not slot.bottom_need[0]:
        return
    if slot.scratch is not None and slot.scratch[0] is slot.trace:
        margin = slot.bottoms[0].read_diff().reshape(len(slot.bottoms[0].read_data()), -1)
    else:
        rows = past(slot).reshape(len(past(slot)), -1)
        margin = np.maximum(0, 1 + _sign(rows, past(slot, 1)) * rows)
    signed = margin * _sign(margin, slot.bottoms[1].read_data())
    dx = 2 * signed if kind.squared else np.sign(signed)
    slot.bottoms[0].write_diff((_weight(slot) / np.float32(len(dx)) * dx).reshape(slot.bottoms[0].sizes))
    slot.scratch = slot.trace, dx


def _sign(rows: Array, label: Array) -> Array:
    """-1 for the class of the label, 1 for others."""
    sign = np.ones_like(rows)
    sign[np.arange(len(rows)), label.astype(np.int64).reshape(-1)] = -1
    return sign


def multinomial_logistic(slot: Slot, kind: Kind) -> None:
    """dx = -w / (N p) for the label's class, 0 for others."""
    _no_labels(slot, 1)
    if not slot.bottom_need[0]:
        return
    x = slot.bottoms[0].read_data()
    rows = x.reshape(len(x), -1)
    label = slot.bottoms[1].read_data().astype(np.int64).reshape(-1)
    dx = np.zeros_like(rows)
    places = np.arange(len(rows)), label
    dx[places] = -_weight(slot) / np.float32(len(x)) / np.maximum(rows[places], SMALLEST)
    slot.bottoms[0].write_diff(dx.reshape(x.shape))


def contrastive(slot: Slot, kind: ContrastiveLoss) -> None:
    """For similar pairs dx0 = w (x0 - x1) / N; for others -w (margin - d) / (d + 1e-4) (x0 - x1) / N inside the margin (legacy: -w
    (x0 - x1) / N where d^2 < margin); dx1 = -dx0."""
    a, b = (x.reshape(len(x), -1) for x in (past(slot), past(slot, 1)))
    similar = slot.bottoms[2].read_data().reshape(-1).astype(np.int64) != 0
    difference = a - b
    squares = (difference * difference).sum(1)
    margin = np.float32(kind.margin)
    if kind.legacy:
        inside, pull = margin - squares > 0, np.full_like(squares, -1)
    else:
        distance = np.sqrt(squares)
        inside, pull = margin - distance > 0, -(margin - distance) / (distance + NEAR)
    k = np.where(similar, np.float32(1), np.where(inside, pull, np.float32(0))) * _weight(slot) / np.float32(len(a))
    for need, bottom, sign in zip(slot.bottom_need, slot.bottoms, (1, -1), strict=False):
        if need:
            bottom.write_diff((sign * k[:, np.newaxis] * difference).reshape(bottom.sizes))


RULES: dict[str, Rule] = {
    "ContrastiveLoss": of(ContrastiveLoss, contrastive),
    "EuclideanLoss": euclidean,
    "HingeLoss": of(HingeLoss, hinge),
    "InfogainLoss": of(InfogainLoss, infogain),
    "MultinomialLogisticLoss": multinomial_logistic,
    "SigmoidCrossEntropyLoss": of(SigmoidCrossEntropyLoss, sigmoid_cross_entropy),
    "SoftmaxWithLoss": of(SoftmaxWithLoss, softmax_with_loss),
}
