"""GroupNorm: each group of channels of an item to mean 0 and variance 1."""

import numpy as np

from .core import WHOLE, Arrays, LayerType, Op, Params, Reaches, Rng, Shapes, Sizes, Tensors, near
from .shared.emission import shifted


class GroupNorm(LayerType):
    """y = (x - mean) / sqrt(variance + eps) over the channels of a group and all positions, times scale and plus bias per channel where
    the layer has blobs.

    `group` is the number of groups of the form with blobs, `group_num` (32) or `group_ratio` that of the forms without.

    Shapes: (N, C, ...) -> the same; blobs (1, C, 1, 1) twice, or none.
    Source: group_norm_layer.cpp of hujie-frank's SENet fork; those without blobs of several others
    """

    types = ("GroupNorm",)
    in_place = True
    fewest_axes = 2
    mixes = "takes its mean over all positions of the map"
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("group_norm_param")
        self.eps = q.get_float("eps", 1e-5)
        counts = {name: q.get_int(name, 0) for name in ("group", "group_num", "group_ratio") if q.has(name)}
        if len(counts) > 1:
            raise q.refuse("group", f"{' and '.join(counts)} are set", expected="one of them")
        self.groups = next(iter(counts.values()), 32)
        if self.groups < 1:
            raise q.refuse(next(iter(counts)), f"{self.groups} groups", expected="a positive number")
        self.scales = "group" in counts or self.blob_count == 2 or q.has("scale_filler") or q.has("bias_filler")
        if self.scales:
            self.fillers = q.filler("scale_filler", 1.0), q.filler("bias_filler")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [(1, bottoms[0][1], 1, 1)] * (2 * self.scales)

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        return [near(value, shape, rng) for value, shape in zip((1.0, 0.0), shapes, strict=False)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        tops = super().shapes(bottoms)
        self.require(x[1] - x[1] // self.groups * self.groups, 0, f"channels modulo {self.groups} groups")
        return tops

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        groups = x.reshape(len(x), self.groups, -1)
        centred = groups - groups.mean(axis=2, keepdims=True)
        variance = (centred * centred).mean(axis=2, keepdims=True)
        y = (centred / np.sqrt(variance + x.dtype.type(self.eps))).reshape(x.shape)
        if self.scales:
            scale, bias = (w.reshape(-1, *(1,) * (x.ndim - 2)) for w in weights)
            y = y * scale + bias
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        ones = np.ones(self.groups, np.float32)
        groups = op.reshape(x, 0, self.groups, -1)
        y = op("Reshape", op("InstanceNormalization", groups, ones, ones * 0, epsilon=self.eps), op("Shape", x))
        if self.scales:
            shape = (-1, *(1,) * (len(x.shape) - 2))
            scale, bias = (
                op.weight(w.reshape(shape), name) for w, name in zip(weights, ("scale", "bias"), strict=True)
            )
            y = op("Add", op("Mul", y, scale), bias)
        return [y]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        groups = op.reshape(x, 0, self.groups, -1)
        centred = op("Sub", groups, op("ReduceMean", groups, axes=(2,), keepdims=1))
        variance = op("ReduceMean", op("Sqr", centred), axes=(2,), keepdims=1)
        y = op("Div", centred, op("Sqrt", shifted(op, variance, self.eps)))
        y = op.reshape(y, *(op.size(x, i) for i in range(len(x.shape))))
        if self.scales:
            shape = (-1, *(1,) * (len(x.shape) - 2))
            y = op(
                "Add",
                op("Mul", y, op.weight(weights[0].reshape(shape), "s")),
                op.weight(weights[1].reshape(shape), "b"),
            )
        return [y]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * (len(bottoms[0]) - 2)]
