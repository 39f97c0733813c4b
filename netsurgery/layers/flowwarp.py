"""FlowWarp: an image, looked at where a flow field points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .caffe2.operators import Operators, cast, choose, expand, like, part
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params
from .core.reach import SAME, WHOLE, Reach


class FlowWarp(LayerType):
    """y[i, j] = x at (u, v) = (j + flow[0, i, j], i + flow[1, i, j]), between the four pixels around, if 0 <= u < W and 0 <= v < H
    (behind the last pixel there is only itself), else 0 or NaN (`fill_value`).

    Shapes: x (N, C, H, W), flow (N, 2, H, W) -> the shape of x.
    Source: flow_warp_layer.cpp of flownet2
    """

    types = ("FlowWarp",)
    choices = (0,)
    bottoms = (2, 2)

    def read(self, p: Params) -> None:
        self.fill = 0.0 if p.message("flow_warp_param").get_str("fill_value") == "ZERO" else float("nan")

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        x, flow = bottoms
        self.rank(x, 4, "bottom 0")
        self.rank(flow, 4, "bottom 1")
        for size, wanted, what in zip(flow, (x[0], 2, *x[2:]), ("items", "channels", "height", "width"), strict=True):
            self.require(size, wanted, f"{what} of the flow (bottom 1)")
        return [x]

    def reach(self, bottoms: Sequence[Shape]) -> Sequence[Sequence[Reach] | None]:
        return [[WHOLE] * 2, [SAME] * 2]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        x, flow = bottoms
        n, _, h, w = x.shape
        shift = flow.astype(np.float32)  # it decides which pixels count: as precisely as Caffe, not more
        u, v = shift[:, 0] + np.arange(w, dtype=np.float32), shift[:, 1] + np.arange(h, dtype=np.float32)[:, None]
        inside = (u >= 0) & (v >= 0) & (u < w) & (v < h)
        u, v = np.where(inside, u, 0), np.where(inside, v, 0)
        left, top = u.astype(np.int64), v.astype(np.int64)
        right, bottom = np.minimum(left + 1, w - 1), np.minimum(top + 1, h - 1)
        a, b = ((t - at).astype(x.dtype)[:, None] for t, at in ((u, left), (v, top)))
        item = np.arange(n)[:, None, None]

        def pixels(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Array:
            found: Array = x.transpose(0, 2, 3, 1)[item, rows, columns].transpose(0, 3, 1, 2)
            return found

        upper = (1 - a) * (1 - b) * pixels(top, left) + a * (1 - b) * pixels(top, right)
        lower = (1 - a) * b * pixels(bottom, left) + a * b * pixels(bottom, right)
        return [np.where(inside[:, None], upper + lower, x.dtype.type(self.fill))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        x, flow = bottoms
        shifts = op.many(2, "Split", flow, op.ints(1, 1), axis=1)  # (N, 1, H, W) each: x, y
        inside: Tensor | None = None
        near: list[Tensor] = []
        far: list[Tensor] = []
        share: list[Tensor] = []
        for shift, axis in zip(shifts, (3, 2), strict=True):
            size = op.size(x, axis)
            place = op("Range", op.const(0, "int64"), op("Squeeze", size), op.const(1, "int64"))
            place = op("Cast", place if axis == 3 else op("Unsqueeze", place, op.ints(1)), to=1)
            u = op("Add", shift, place)
            fits = op("And", op("GreaterOrEqual", u, op.const(0.0)), op("Less", u, op("Cast", size, to=1)))
            inside = fits if inside is None else op("And", inside, fits)
            near.append(u)
        for i, axis in enumerate((3, 2)):
            u = op("Where", inside, near[i], op.const(0.0))
            whole = op("Floor", u)
            share.append(op("Sub", u, whole))
            near[i] = op("Cast", whole, to=7)
            last = op("Sub", op.size(x, axis), op.ints(1))
            far.append(op("Min", op("Add", near[i], op.ints(1)), last))
        # gather from planes made vectors: index = row * width + column, the same for all channels
        shape = op.ints(0, 0, -1)
        plane = op("Reshape", x, shape)
        width = op.size(x, 3)

        def at(row: Tensor, column: Tensor) -> Tensor:
            index = op("Reshape", op("Add", op("Mul", row, width), column), shape)
            return op("GatherElements", plane, op("Expand", index, op("Shape", plane)), axis=2)

        a, b = (op("Reshape", t, shape) for t in share)
        upper, lower = (_between(op, at(row, near[0]), at(row, far[0]), a) for row in (near[1], far[1]))
        y = op("Reshape", _between(op, upper, lower, b), op("Shape", x))
        return [op("Where", inside, y, op.const(self.fill))]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        x, flow = bottoms
        n, _, h, w = (op.size(x, i) for i in range(4))
        place, share, inside = [], [], []
        for i, axis in ((0, 3), (1, 2)):  # x, y
            size = op.size(x, axis)
            line = op.reshape(cast(op, op("Range", size), "float"), 1, 1, *([1, -1] if axis == 3 else [-1, 1]))
            u = op("Add", part(op, flow, 4, 1, i, i + 1), line)
            inside.append(op("And", op("GE", u, op.const(0.0)), op("LT", u, cast(op, size, "float"))))
            place.append(u)
        fits = op("And", *inside)  # (N, 1, H, W)
        near, far = [], []
        for u, axis in zip(place, (3, 2), strict=True):
            u = choose(op, fits, u, like(op, u, 0))
            whole = op("Floor", u)
            share.append(op("Sub", u, whole))
            near.append(cast(op, whole, "int64"))
            last = cast(op, op("Sub", op.size(x, axis), op.ints(1)), "float")
            next_one = op("Add", whole, op.const(1.0))
            over = op("GT", next_one, last)
            far.append(cast(op, choose(op, over, whole, next_one), "int64"))
        pixels = op.reshape(op("Transpose", x, axes=(0, 2, 3, 1)), -1, op.size(x, 1))
        item = op("Mul", op.reshape(op("Range", n), -1, 1, 1, 1), op("Mul", h, w))

        def at(row: Tensor, column: Tensor) -> Tensor:
            index = op("Add", item, op("Add", op("Mul", row, w), column))
            found = op("Gather", pixels, op("Squeeze", index, dims=(1,)), axis=0)
            return op("Transpose", found, axes=(0, 3, 1, 2))

        upper, lower = (_mixed(op, at(row, near[0]), at(row, far[0]), share[0]) for row in (near[1], far[1]))
        y = _mixed(op, upper, lower, share[1])
        kept = cast(op, expand(op, cast(op, fits, "float"), *(op.size(x, i) for i in range(4))), "bool")
        return [choose(op, kept, y, like(op, y, self.fill))]


def _between(op: Graph, one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    rest = op("Sub", op.const(1.0), share)
    return op("Add", op("Mul", one, rest), op("Mul", other, share))


def _mixed(op: Operators, one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    rest = op("Sub", op.const(1.0), share)
    return op("Add", op("Mul", one, rest), op("Mul", other, share))
