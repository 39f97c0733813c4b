"""What surgery and faster forms do to weights: groups written as fewer or more, what came before or behind taken in, a bias added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core import Array, Message, Surgery, with_field

BLOCK = 16
"""Of how many channels runtimes make blocks."""


def with_bias(params: Message, message: str, w: Array, bias: Array) -> Surgery:
    """A layer's parameters with `bias_term`, and its two blobs."""
    return with_field(params, message, "bias_term", True), (w.astype(np.float32), bias.astype(np.float32))


def spread_groups(w: Array, group: int) -> Array:
    """The weights (A, B, kernel...) of `group` groups as those of one, (A, B * group, kernel...): blocks along the diagonal."""
    rows, columns = w.shape[0] // group, w.shape[1]
    dense = np.zeros((w.shape[0], columns * group, *w.shape[2:]), w.dtype)
    for i in range(group):
        block = slice(i * rows, (i + 1) * rows)
        dense[block, i * columns : (i + 1) * columns] = w[block]
    return dense


def join_groups(w: Array, group: int, together: int) -> Array:
    """The weights (A, B, kernel...) of `group` groups as those of group / together, (A, B * together, kernel...)."""
    return np.concatenate([spread_groups(part, together) for part in np.split(w, group // together)])


def one_by_one(w: Array) -> Array | None:
    """The weights (C, 1, kernel...) of C > 1 groups that do what w (C, C, kernel...) does; None where channels mix, or all is 0."""
    # most weights need not be read beyond their first row
    if not 1 < w.shape[0] == w.shape[1] or w[0, 1:].any() or not w[0, 0].any():
        return None
    apart = ~np.eye(len(w), dtype=bool)
    return None if w[apart].any() else np.ascontiguousarray(w[range(len(w)), range(len(w)), None])


def turned(w: Array, group: int) -> Array:
    """A Deconvolution's weights (C, M / group, kernel...) as those (M, C / group, kernel...) of the Convolution that does the same
    with stride 1."""
    by_group = w.reshape(group, -1, *w.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(np.flip(by_group, tuple(range(3, by_group.ndim)))).reshape(
        -1, w.shape[0] // group, *w.shape[2:]
    )


def take_in(w: Array, group: int, order: Sequence[int], scale: Array, shift: Array) -> tuple[Array, Array] | None:
    """Weights (M, C / group, ..) that on x do what w does on x[:, order] * scale + shift, and what the shift adds to each of the M
    sums; in float64. None where a group would need channels of another."""
    mixed = list(order) != sorted(order)
    if mixed and group != 1:
        return None
    by_group = (group, 1, w.shape[1], *(1,) * (w.ndim - 2))
    old = w.astype(np.float64).reshape(group, -1, *w.shape[1:])
    weights = (old * scale.reshape(by_group)).reshape(w.shape)
    if mixed:
        weights = weights[:, np.argsort(order)]
    return weights, (old * shift.reshape(by_group)).reshape(len(w), -1).sum(1)
