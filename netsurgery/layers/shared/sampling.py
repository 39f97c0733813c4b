"""Bilinear samples of a map at positions that lie inside it: by NumPy, as ONNX nodes, as operators of Caffe2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..caffe2.operators import cast
from ..core import Array, Op, Tensor
from .emission import between


def linear(x: Array, at: Array, axis: int) -> Array:
    """x between the two places around each of `at` along an axis, beyond the last one that."""
    near = at.astype(np.int64)
    share = (at - near).astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1 - axis))
    return np.asarray((1 - share) * x.take(near, axis) + share * x.take(np.minimum(near + 1, x.shape[axis] - 1), axis))


def bilinear(x: Array, u: NDArray[np.float32], v: NDArray[np.float32]) -> Array:
    """x (N, C, H, W) between the four pixels around column u and row v, (N, H', W') each, 0 <= u <= W - 1, 0 <= v <= H - 1.

    Shapes: -> (N, C, H', W').
    """
    h, w = x.shape[2:]
    left, top = u.astype(np.int64), v.astype(np.int64)
    right, bottom = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1)
    a, b = ((t - at).astype(x.dtype)[:, None] for t, at in ((u, left), (v, top)))
    item = np.arange(len(x))[:, None, None]

    def pixels(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
        values: Array = x.transpose(0, 2, 3, 1)[item, rows, columns].transpose(0, 3, 1, 2)
        return values

    upper = (1 - a) * (1 - b) * pixels(top, left) + a * (1 - b) * pixels(top, right)
    lower = (1 - a) * b * pixels(bottom, left) + a * b * pixels(bottom, right)
    return np.asarray(upper + lower)


def emit_bilinear(op: Op, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """`bilinear` for u and v of the shape (N, 1, H', W'); -> (N, C, H' W')."""
    near, far, share = [], [], []
    for place, axis in ((u, 3), (v, 2)):
        whole = op("Floor", place)
        share.append(op("Sub", place, whole))
        near.append(op("Cast", whole, to=7))
        far.append(op("Min", op("Add", near[-1], op.ints(1)), op("Sub", op.size(x, axis), op.ints(1))))
    # gather from planes made vectors: index = row * width + column, the same for all channels
    shape = op.ints(0, 0, -1)
    plane = op("Reshape", x, shape)
    width = op.size(x, 3)

    def at(row: Tensor, column: Tensor) -> Tensor:
        index = op("Reshape", op("Add", op("Mul", row, width), column), shape)
        whole = op.ints(op.size(x, 0), op.size(x, 1), op("Slice", op("Shape", index), op.ints(2), op.ints(3)))
        return op("GatherElements", plane, op("Expand", index, whole), axis=2)

    a, b = (op("Reshape", t, shape) for t in share)
    upper, lower = (between(op, at(row, near[0]), at(row, far[0]), a) for row in (near[1], far[1]))
    return between(op, upper, lower, b)


def emit_bilinear_caffe2(op: Op, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """`bilinear` for u and v of the shape (N, 1, H', W'); -> (N, C, H', W')."""
    n, _, h, w = (op.size(x, i) for i in range(4))
    near, far, share = [], [], []
    for place, axis in ((u, 3), (v, 2)):
        whole = op("Floor", place)
        share.append(op("Sub", place, whole))
        near.append(cast(op, whole, "int64"))
        last = cast(op, op("Sub", op.size(x, axis), op.ints(1)), "float")
        next_one = op("Add", whole, op.const(1.0))
        far.append(cast(op, op("Where", op("GT", next_one, last), whole, next_one), "int64"))
    pixels = op.reshape(op("Transpose", x, axes=(0, 2, 3, 1)), -1, op.size(x, 1))
    item = op("Mul", op.reshape(op("Range", n), -1, 1, 1, 1), op("Mul", h, w))

    def at(row: Tensor, column: Tensor) -> Tensor:
        index = op("Add", item, op("Add", op("Mul", row, w), column))
        values = op("Gather", pixels, op("Squeeze", index, dims=(1,)), axis=0)
        return op("Transpose", values, axes=(0, 3, 1, 2))

    upper, lower = (between(op, at(row, near[0]), at(row, far[0]), share[0]) for row in (near[1], far[1]))
    return between(op, upper, lower, share[1])
