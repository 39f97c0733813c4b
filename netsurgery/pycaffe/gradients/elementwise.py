"""Gradients of layers that treat each number by itself.

x is what the bottom's memory holds at the time, which is y where the layer works in place: Caffe keeps a copy for PReLU and Scale only.
Source: BVLC/caffe src/caffe/layers/*_layer.cpp (Backward_cpu)
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ...layers.absval import AbsVal
from ...layers.batchnorm import BatchNorm
from ...layers.bias import Bias
from ...layers.bnll import BNLL
from ...layers.clip import Clip
from ...layers.elu import ELU
from ...layers.exp import Exp
from ...layers.log import Log
from ...layers.power import Power
from ...layers.prelu import PReLU
from ...layers.relu import ReLU
from ...layers.scale import Scale
from ...layers.sigmoid import Sigmoid
from ...layers.swish import Swish
from ...layers.tanh import TanH
from ..slot import Slot
from .rule import K, Rule, of, seen

if TYPE_CHECKING:
    from ..blob import Array

BNLL_LIMIT = 50.0
"""Caffe's exponent in BNLL is at most this."""


def _simple(type: type[K], factor: Callable[[K, Array, Array], Array], *, overwrites: bool = False) -> Rule:
    """dx = dy * factor(kind, x, y). With `overwrites` Caffe puts the factor where dy lies if the layer is in place, and then multiplies
    by what is there."""

    def rule(slot: Slot, kind: K) -> None:
        if not slot.bottom_need[0]:
            return
        x, y, dy = slot.bottoms[0].read_data(), slot.tops[0].read_data(), slot.tops[0].read_diff()
        k = factor(kind, x, y)
        slot.bottoms[0].write_diff(k * k if overwrites and slot.in_place else dy * k)

    return of(type, rule)


def _power(kind: Power, x: Array, y: Array) -> Array:
    slope = np.float32(kind.power * kind.scale)
    if slope == 0 or kind.power == 1:
        return np.full_like(x, slope)
    if kind.power == 2:
        return slope * np.float32(kind.scale) * x + slope * np.float32(kind.shift)
    if kind.shift == 0:
        return np.float32(kind.power) * (y / x)
    return slope * (y / (np.float32(kind.scale) * x + np.float32(kind.shift)))


def _bnll(kind: BNLL, x: Array, y: Array) -> Array:
    e: Array = np.exp(np.minimum(x, np.float32(BNLL_LIMIT)))
    return e / (e + 1)


def _elu(kind: ELU, x: Array, y: Array) -> Array:
    return (x > 0) + (np.float32(kind.alpha) + y) * (x <= 0)


def swish(slot: Slot, kind: Swish) -> None:
    """dx = dy (beta y + s (1 - beta y)), s = sigmoid(beta x) being kept from the forward."""
    if slot.bottom_need[0]:
        beta, y = np.float32(kind.beta), slot.tops[0].read_data()
        s = 1 / (1 + np.exp(-beta * seen(slot)))
        slot.bottoms[0].write_diff(slot.tops[0].read_diff() * (beta * y + s * (1 - beta * y)))


def prelu(slot: Slot, kind: PReLU) -> None:
    """dx = dy (slope if x <= 0 else 1); dslope = sum of dy x over x <= 0."""
    x, dy = seen(slot), slot.tops[0].read_diff()
    slope = slot.blobs[0].read_data()
    shape = (1, -1, *[1] * (x.ndim - 2)) if slope.size > 1 else (1,) * x.ndim
    if slot.param_need[0]:
        terms = dy * x * (x <= 0)
        axes = (0, *range(2, x.ndim)) if slope.size > 1 else None
        slot.blobs[0].add_diff(np.asarray(terms.sum(axes)))
    if slot.bottom_need[0]:
        slot.bottoms[0].write_diff(dy * ((x > 0) + slope.reshape(shape) * (x <= 0)))


def _spread(slot: Slot, factor_shape: tuple[int, ...], axis: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shape in which a factor meets x, and the axes over which its gradient is summed."""
    rank = len(slot.bottoms[0].sizes)
    axis = axis % rank if factor_shape else 0
    shape = (*[1] * axis, *factor_shape, *[1] * (rank - axis - len(factor_shape)))
    inside = range(axis, axis + len(factor_shape))
    return shape, tuple(i for i in range(rank) if i not in inside)


def _kept(slot: Slot) -> Array:
    """What Scale in place keeps of its bottom, until a backward computes its product there."""
    if slot.scratch is not None and slot.scratch[0] is slot.trace:
        array: Array = slot.scratch[1]
        return array
    return seen(slot)


def scale(slot: Slot, kind: Scale) -> None:
    """dx = dy s; ds = sum of dy x; of the bias: sum of dy. A scale that is a bottom is written, a parameter adds up (but for one as large
    as x, in which Caffe computes the product itself)."""
    dy = slot.tops[0].read_diff().copy()
    is_param = len(slot.bottoms) == 1
    factor = slot.blobs[0] if is_param else slot.bottoms[1]
    axis = int(kind.from_axis)
    shape, axes = _spread(slot, factor.sizes, axis)
    biases = slot.blobs[1:] if is_param else slot.blobs[:1]
    for bias in biases if slot.param_need and slot.param_need[-1] else ():
        bias.add_diff(dy.sum(axes))
    if slot.param_need[0] if is_param else slot.bottom_need[1]:
        product = dy * _kept(slot)
        if slot.in_place and factor.count != slot.bottoms[0].count:
            slot.scratch = slot.trace, product
        total = product.sum(axes).reshape(factor.sizes)
        if is_param and factor.count != slot.bottoms[0].count:
            factor.add_diff(total)
        else:
            factor.write_diff(total)
    if slot.bottom_need[0]:
        slot.bottoms[0].write_diff(dy * factor.read_data().reshape(shape))


def bias(slot: Slot, kind: Bias) -> None:
    """dx = dy; db = sum of dy."""
    dy = slot.tops[0].read_diff()
    is_param = len(slot.bottoms) == 1
    term = slot.blobs[0] if is_param else slot.bottoms[1]
    _, axes = _spread(slot, term.sizes, int(kind.from_axis))
    if slot.bottom_need[0] and not slot.in_place:
        slot.bottoms[0].write_diff(dy)
    if is_param and slot.param_need[0]:
        term.add_diff(dy.sum(axes))
    elif not is_param and slot.bottom_need[1]:
        term.write_diff(dy.sum(axes).reshape(term.sizes))


def batch_norm(slot: Slot, kind: BatchNorm) -> None:
    """dx = dy / sqrt(var + eps), var being that stored when the layer ran; the stored statistics have no gradient. Caffe computes dx also
    where the bottom needs none."""
    held = slot.trace.weights if slot.trace is not None else {}
    x, weight = slot.bottoms[0].read_data(), held.get(id(slot.blobs[2]), slot.blobs[2].read_data()).reshape(-1)[0]
    var = held.get(id(slot.blobs[1]), slot.blobs[1].read_data()) * np.float32(0 if weight == 0 else 1 / weight)
    shape = (1, -1, *[1] * (x.ndim - 2)) if x.ndim > 1 else (-1,)
    root = np.sqrt(var + np.float32(kind.eps)).reshape(shape if prod(var.shape) > 1 else (1,) * max(x.ndim, 1))
    slot.bottoms[0].write_diff(slot.tops[0].read_diff() / root)


RULES: dict[str, Rule] = {
    "AbsVal": _simple(AbsVal, lambda kind, x, y: np.sign(x)),
    "BNLL": _simple(BNLL, _bnll),
    "BatchNorm": of(BatchNorm, batch_norm),
    "Bias": of(Bias, bias),
    "Clip": _simple(Clip, lambda kind, x, y: ((x >= kind.least) & (x <= kind.most)).astype(np.float32)),
    "ELU": _simple(ELU, _elu),
    "Exp": _simple(Exp, lambda kind, x, y: y * np.float32(kind.inner) if kind.inner != 1 else y),
    "Log": _simple(
        Log,
        lambda kind, x, y: np.float32(kind.scale * kind.outer) / (x * np.float32(kind.scale) + np.float32(kind.shift)),
        overwrites=True,
    ),
    "PReLU": of(PReLU, prelu),
    "Power": _simple(Power, _power, overwrites=True),
    "ReLU": _simple(ReLU, lambda kind, x, y: (x > 0) + np.float32(kind.slope) * (x <= 0)),
    "Scale": of(Scale, scale),
    "Sigmoid": _simple(Sigmoid, lambda kind, x, y: y * (1 - y)),
    "Swish": of(Swish, swish),
    "TanH": _simple(TanH, lambda kind, x, y: 1 - y * y),
}
