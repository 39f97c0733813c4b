"""Matrices that layers multiply items with: rows of length 1, matrices that come from a bottom, and their kernels' parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..core import Array, Message, Op, Tensor, product
from ..core.tiles import CACHE, LET_GO, tiles
from .windows import kernel_fields


def unit_rows(w: Array, k: int) -> Array:
    """`normalize` of happynear's forks: every k values in a row divided by sqrt(sum of squares + 1e-6), whatever their axis."""
    rows = w.reshape(-1, k)
    length = np.sqrt((rows * rows).sum(axis=1, keepdims=True) + w.dtype.type(1e-6))
    return np.asarray((rows / length).reshape(w.shape))


def times_bottom(op: Op, x: Tensor, w: Tensor, axis: int, transpose: bool) -> Tensor:
    """W x for each item of x, its axes from `axis` on flattened; W (n, ..), with `transpose` (.., n), is a blob of the net."""
    rows = x if len(x.shape) == 2 and axis == 1 else op("Flatten", x, axis=axis)
    matrix = w if len(w.shape) == 2 else op("Flatten", w, axis=1)
    y = op("Gemm", rows, matrix, None, transB=int(not transpose))
    if axis == 1:
        return y
    return op.reshape(y, *(op.size(x, i) for i in range(axis)), op("Slice", op("Shape", y), op.ints(1), op.ints(2)))


def times_bottom_caffe2(op: Op, x: Tensor, w: Tensor, axis: int, transpose: bool) -> Tensor:
    """`times_bottom` as operators of Caffe2."""
    matrix = op.reshape(w, op.size(w, 0), -1)
    rows = op.reshape(x, -1, op.number(product(x.shape[axis:])))
    y = op("MatMul", rows, matrix, trans_b=None if transpose else 1)
    n = op.number(product(w.shape[1:]) if transpose else w.shape[0])
    return op.reshape(y, *(op.size(x, i) for i in range(axis)), n)


def to_convolution(params: Message, kernel: Sequence[int]) -> Message:
    """An InnerProduct's parameters as those of a Convolution with that kernel, in the style of Caffe's models."""
    old = [f for f in params.fields if f.name == "inner_product_param"][-1]
    inner: Message = old.value
    counts, fillers = (
        [f for f in inner.fields if f.name in names]
        for names in (("num_output", "bias_term"), ("weight_filler", "bias_filler"))
    )
    new = Message("ConvolutionParameter", (*counts, *kernel_fields(kernel), *fillers), inner.source)
    # A convolution_param that is there already was never read.
    others = [f for f in params.fields if f is old or f.name not in ("inner_product_param", "convolution_param")]
    fields = (replace(f, name="convolution_param", value=new) if f is old else f for f in others)
    return replace(params, fields=tuple(fields), text="")


def product_with(rows: Array, matrix: Array) -> Array:
    """rows @ matrix, which may lie in a file as it likes: of what must be cast or moved for it, as much at a time as stays in a cache."""
    if matrix.dtype == rows.dtype and matrix.flags.aligned:
        return np.asarray(rows @ matrix)
    y = np.empty((len(rows), matrix.shape[1]), rows.dtype)
    for (part,) in tiles(y.shape[1:], CACHE // max(1, matrix.shape[0] * rows.itemsize)):
        np.matmul(rows, np.require(matrix[:, part], rows.dtype, "A"), out=y[:, part])
        LET_GO.get()(matrix[:, part].T)
    return y
