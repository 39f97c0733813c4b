"""PReLU: a leaky ReLU of learned slopes."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors


class PReLU(LayerType):
    """y = max(x, 0) + slope[c] * min(x, 0)

    Shapes: (N, C, ...); slope (C), or () with `channel_shared`.
    Source: prelu_layer.cpp
    """

    types = ("PReLU",)
    gives_features = True
    in_place = True
    scope = "channels"
    fewest_axes = 2

    def read(self, p: Params) -> None:
        q = p.message("prelu_param")
        self.channel_shared = q.get_bool("channel_shared")
        self.fillers = (q.filler("filler", 0.25),)

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [()] if self.channel_shared else [(bottoms[0][1],)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        slope = weights[0].reshape(-1, *(1,) * (x.ndim - 2))
        return [np.maximum(x, 0) + slope * np.minimum(x, 0)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        behind = () if self.channel_shared else (1,) * (len(x.shape) - 2)
        slope = weights[0].reshape(-1, *behind)
        if op.plain:
            return [op("PRelu", x, op.weight(slope, "slope"))]
        if slope.size and (slope == slope.flat[0]).all():
            return [op("LeakyRelu", x, alpha=float(slope.flat[0]))]
        # max(x, 0) - slope max(-x, 0): onnxruntime has all of it in the blocked layout of convolutions, but not PRelu, which takes 2 to 5
        # times as long, and a change of layout before and behind it (tests/benchmarks/bench_layers.py)
        below = op("Relu", op("Mul", x, np.full(slope.shape, -1.0)))
        return [op("Add", op("Relu", x), op("Mul", below, op.weight(-slope, "slope")))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("PRelu", bottoms[0], op.weight(weights[0].reshape(-1), "slope"))]
