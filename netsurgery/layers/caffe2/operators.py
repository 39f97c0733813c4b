"""What several layers' `emit_caffe2` write: operators of Caffe2 that run on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Array, LayerType, Op, Shape, Tensor, UnsupportedError

if TYPE_CHECKING:
    from ..core.layer_type import Array, LayerType
    from ..shared.windows import Windows

LOWEST = float(np.finfo(np.float32).min)


def refuse(layer: LayerType, problem: str, *, expected: str = "", fix: str = "") -> UnsupportedError:
    """The error for a layer that no CPU operator of Caffe2 expresses, to be raised."""
    return UnsupportedError(f"has no form in Caffe2: {problem}", layer=layer, expected=expected, fix=fix)


def cast(op: Op, x: Tensor, to: str) -> Tensor:
    """x as "float", "int64" or "bool"; fractions are cut off."""
    return op("Cast", x, shape=x.shape, to={"float": 1, "bool": 5, "int64": 10}[to])


def part(op: Op, x: Tensor, rank: int, axis: int, start: Any, end: Any) -> Tensor:
    """x[.., start:end, ..] along one axis: Caffe2's Slice cuts no more at once. `end` -1 is the end, -2 the one before it, and so on;
    both may be int64 vectors of one number."""
    if isinstance(start, int) and isinstance(end, int):
        starts, ends = [0] * rank, [-1] * rank
        starts[axis], ends[axis] = start, end
        return op("Slice", x, starts=starts, ends=ends)
    before, behind = axis, rank - axis - 1
    return op("Slice", x, op.ints([0] * before, start, [0] * behind), op.ints([-1] * before, end, [-1] * behind))


def turned(op: Op, x: Tensor, axis: int) -> Tensor:
    """x with an axis turned around."""
    index = op("Range", op("Sub", op.size(x, axis), op.ints(1)), op.ints(-1), op.ints(-1))
    return op("Gather", x, index, axis=axis, shape=x.shape)


def like(op: Op, x: Tensor, value: float) -> Tensor:
    """A blob of the shape of x, filled with a number."""
    return op("ConstantFill", x, value=float(value), shape=x.shape)


def full(op: Op, value: float, *parts: Any) -> Tensor:
    """A blob of the shape `ints(*parts)`, filled with a number."""
    return op("ConstantFill", op.ints(*parts), input_as_shape=1, value=float(value))


def expand(op: Op, x: Tensor, *parts: Any) -> Tensor:
    """x repeated along its axes of size 1 to the shape `ints(*parts)`."""
    return op("Expand", x, op.ints(*parts))


def conv(op: Op, x: Tensor, w: Tensor, b: Tensor | None, at: Windows, group: int = 1) -> Tensor:
    dilations, groups = at.dilation if max(at.dilation) > 1 else None, group if group > 1 else None
    inputs = [x, w] if b is None else [x, w, b]
    at = at.over(x.shape[2:]) if x.shape is not None else at
    windows = places(at.kernel, at.stride, (*at.pad, *at.ends))
    return op("Conv", *inputs, **windows, dilations=dilations, group=groups)


def pool(
    op: Op, kind: str, x: Tensor, kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int], **more: Any
) -> Tensor:
    """MaxPool or AveragePool; `pads` are those before each axis, then those behind each."""
    return op(kind, x, **places(kernel, stride, pads), **more)


def places(kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int]) -> dict[str, Any]:
    """Where windows are, as arguments; None for what goes without saying."""
    return {"kernels": kernel, "strides": stride if max(stride) > 1 else None, "pads": pads if any(pads) else None}


def pad_image(op: Op, x: Tensor, top: int, left: int, bottom: int, right: int, value: float = 0.0) -> Tensor:
    """x (N, C, H, W) with `value` around."""
    return op("PadImage", x, pads=(top, left, bottom, right), mode="constant", value=float(value))


def softmax(op: Op, x: Tensor, rank: int, axis: int) -> Tensor:
    """Along one axis: Caffe2's Softmax takes all axes from one on together."""
    assert x.shape is not None
    if all(n == 1 for n in x.shape[axis + 1 :]):
        return op("Softmax", x, axis=axis, shape=x.shape)
    order = [*(i for i in range(rank) if i != axis), axis]
    last = op("Softmax", op("Transpose", x, axes=order), axis=rank - 1)
    return op("Transpose", last, axes=[order.index(i) for i in range(rank)], shape=x.shape)


def along_axis(op: Op, x: Tensor, matrix: Array, axis: int, shape: Shape | None = None) -> Tensor:
    """x (N, C, H, W) with a matrix (new, old) applied along its height (axis 2) or width (3)."""
    if axis == 2:
        return op("BatchMatMul", op.const(matrix), x, broadcast=1, shape=shape)
    return op("BatchMatMul", x, op.const(matrix), trans_b=1, broadcast=1, shape=shape)


def normalize(
    op: Op,
    x: Tensor,
    mean: Array,
    variance: Array,
    eps: float,
    slope: Array | None = None,
    bias: Array | None = None,
) -> Tensor:
    """slope (x - mean) / sqrt(variance + eps) + bias per channel (axis 1); without slope and bias 1 and 0."""
    count, rank = len(mean), len(x.shape)
    slope = np.ones(count, np.float32) if slope is None else slope
    bias = np.zeros(count, np.float32) if bias is None else bias
    if eps > 0 and 2 <= rank <= 5:
        blobs = zip(
            (slope, bias, mean, variance), ("s", "b", "rm", "riv"), strict=True
        )  # as Caffe2's own models call them
        inputs = [op.weight(np.asarray(blob, np.float32), name) for blob, name in blobs]
        return op("SpatialBN", x, *inputs, is_test=1, epsilon=eps)
    factor = slope / np.sqrt(np.asarray(variance, np.float64) + eps)
    shape = (-1, *(1,) * (rank - 2))
    y = op("Mul", x, op.weight(factor.astype(np.float32).reshape(shape), "s"))
    return op("Add", y, op.weight((bias - mean * factor).astype(np.float32).reshape(shape), "b"))


def columns_of(op: Op, x: Tensor, at: Windows) -> Tensor:
    """The windows of x (N, C, H, W) laid out along the channels: (N, C * kernel, H', W')."""
    at = at.over(x.shape[2:]) if x.shape is not None else at
    one = len({*at.pad, *at.ends}) == 1
    if not one:  # Im2Col has one number for all sides
        x = pad_image(op, x, *at.pad, *at.ends)
    sides = {"pad": at.pad[0] if one else 0}
    for name, (h, w) in (("kernel", at.kernel), ("stride", at.stride), ("dilation", at.dilation)):
        sides |= {f"{name}_h": h, f"{name}_w": w}
    return op("Im2Col", x, shape=None, **sides)
