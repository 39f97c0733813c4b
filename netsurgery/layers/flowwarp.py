"""FlowWarp: an image, looked at where a flow field points."""

from typing import ClassVar

import numpy as np

from .caffe2.operators import cast, expand, like, part
from .core import SAME, WHOLE, Arrays, LayerType, Op, Params, Reaches, Rng, Sample, Shapes, Sizes, Tensor, Tensors
from .shared.emission import emit_range
from .shared.sampling import bilinear, emit_bilinear, emit_bilinear_caffe2


class FlowWarp(LayerType):
    """y[i, j] = x at (u, v) = (j + flow[0, i, j], i + flow[1, i, j]), between the four pixels around, if 0 <= u < W and 0 <= v < H
    (behind the last pixel there is only itself), else 0 or NaN (`fill_value`).

    Shapes: x (N, C, H, W), flow (N, 2, H, W) -> the shape of x.
    Source: flow_warp_layer.cpp of flownet2
    """

    types = ("FlowWarp",)
    choices = (0,)
    bottoms = (2, 2)
    to_the_edge: ClassVar[bool] = False
    """Whether the last pixel is the end: u <= W - 1 and v <= H - 1."""

    def read(self, p: Params) -> None:
        self.fill = 0.0 if p.message("flow_warp_param").get_str("fill_value") == "ZERO" else float("nan")

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, flow = bottoms
        self.ranks(bottoms, 4)
        self.require_alike(flow, (x[0], 2, *x[2:]), "the flow (bottom 1)", ("items", "channels", "height", "width"))
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, flow = bottoms
        h, w = x.shape[2:]
        shift = flow.astype(np.float32)  # it decides which pixels count: as precisely as Caffe, not more
        u, v = shift[:, 0] + np.arange(w, dtype=np.float32), shift[:, 1] + np.arange(h, dtype=np.float32)[:, None]
        if self.to_the_edge:
            inside = (u >= 0) & (v >= 0) & (u <= w - 1) & (v <= h - 1)
        else:
            inside = (u >= 0) & (v >= 0) & (u < w) & (v < h)
        y = bilinear(x, np.where(inside, u, 0), np.where(inside, v, 0))
        return [np.where(inside[:, None], y, x.dtype.type(self.fill))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, flow = bottoms
        shifts = op.many(2, "Split", flow, op.ints(1, 1), axis=1)  # (N, 1, H, W) each: x, y
        inside: Tensor | None = None
        at: list[Tensor] = []
        for shift, axis in zip(shifts, (3, 2), strict=True):
            size = op.size(x, axis)
            place = emit_range(op, size)
            place = op("Cast", place if axis == 3 else op("Unsqueeze", place, op.ints(1)), to=1)
            u = op("Add", shift, place)
            if self.to_the_edge:
                below = op("LessOrEqual", u, op("Cast", op("Sub", size, op.ints(1)), to=1))
            else:
                below = op("Less", u, op("Cast", size, to=1))
            fits = op("And", op("GreaterOrEqual", u, op.const(0.0)), below)
            inside = fits if inside is None else op("And", inside, fits)
            at.append(u)
        u, v = (op("Where", inside, t, op.const(0.0)) for t in at)
        y = op("Reshape", emit_bilinear(op, x, u, v), op("Shape", x))
        return [op("Where", inside, y, op.const(self.fill))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, flow = bottoms
        at, inside = [], []
        for i, axis in ((0, 3), (1, 2)):  # x, y
            size = op.size(x, axis)
            line = op.reshape(cast(op, op("Range", size), "float"), 1, 1, *([1, -1] if axis == 3 else [-1, 1]))
            u = op("Add", part(op, flow, 4, 1, i, i + 1), line)
            end = op("LE", u, cast(op, op("Sub", size, op.ints(1)), "float")) if self.to_the_edge else None
            inside.append(op("And", op("GE", u, op.const(0.0)), end or op("LT", u, cast(op, size, "float"))))
            at.append(u)
        fits = op("And", *inside)  # (N, 1, H, W)
        u, v = (op("Where", fits, t, like(op, t, 0)) for t in at)
        y = emit_bilinear_caffe2(op, x, u, v)
        mask = cast(op, expand(op, cast(op, fits, "float"), *(op.size(x, i) for i in range(4))), "bool")
        return [op("Where", mask, y, like(op, y, self.fill))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * 2, [SAME] * 2]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        """Flows of some pixels, some of them over the edge."""
        return rng.uniform(-2, 2, shapes[1]) if index == 1 else None
