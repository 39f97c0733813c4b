"""Warp: two layers of one name. PWC-Net's is given a flow, LiteFlowNet's the places themselves."""

import numpy as np

from .caffe2.operators import part
from .core import SAME, WHOLE, Arrays, LayerType, Op, Params, Reaches, Shapes, Tensors
from .flowwarp import FlowWarp
from .shared.sampling import bilinear, emit_bilinear, emit_bilinear_caffe2


class Warp(FlowWarp):
    """y[i, j] = x at (u, v) = (j + flow[0, i, j], i + flow[1, i, j]), between the four pixels around, if 0 <= u <= W - 1 and
    0 <= v <= H - 1, else 0.

    Shapes: x (N, C, H, W), flow (N, 2, H, W) -> the shape of x.
    Source: warp_layer.cu of PWC-Net
    """

    types = ("Warp",)
    note = "PWC-Net's; LiteFlowNet's in nets that have a Grid (or --dialect liteflownet), by formula"
    to_the_edge = True

    def read(self, p: Params) -> None:
        self.fill = 0.0


class WarpByPlaces(LayerType):
    """y[i, j] = x at (u, v) = (places[0, i, j], places[1, i, j]), between the four pixels around, of which those outside are 0.

    Shapes: x (N, C, H, W), places (N, 2, H, W) -> the shape of x.
    Source: warp_layer.cpp, warp_layer.cu of LiteFlowNet
    """

    bottoms = (2, 2)

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, places = bottoms
        self.ranks(bottoms, 4)
        axes = ("items", "channels", "height", "width")
        self.require_alike(places, (x[0], 2, *x[2:]), "the places (bottom 1)", axes)
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, places = bottoms
        # a border of zeros: further away there is nothing else
        framed = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
        h, w = x.shape[2:]
        u, v = (np.clip(places[:, i].astype(np.float32), -1, n) + np.float32(1) for i, n in enumerate((w, h)))
        return [bilinear(framed, u, v)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, places = bottoms
        both = op.many(2, "Split", places, op.ints(1, 1), axis=1)
        ends = (op("Cast", op("Squeeze", op.size(x, axis)), to=1) for axis in (3, 2))
        u, v = (
            op("Add", op("Max", op("Min", t, end), op.const(-1.0)), op.const(1.0))
            for t, end in zip(both, ends, strict=True)
        )
        framed = op("Pad", x, op.ints(0, 0, 1, 1, 0, 0, 1, 1), op.const(0.0))
        return [op("Reshape", emit_bilinear(op, framed, u, v), op("Shape", x))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, places = bottoms
        h, w = (op.number(n) for n in x.shape[2:])
        u, v = (
            op("Add", op("Clip", part(op, places, 4, 1, i, i + 1), min=-1.0, max=float(n)), op.const(1.0))
            for i, n in enumerate((w, h))
        )
        framed = op("PadImage", x, pads=(1, 1, 1, 1), mode="constant", value=0.0)
        return [emit_bilinear_caffe2(op, framed, u, v)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * 2, [SAME] * 2]
