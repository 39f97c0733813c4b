"""BatchNorm: every channel to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError
from ..message import Message
from .caffe2.operators import Operators, normalize, shifted
from .core.dims import Shape
from .core.fillers import near
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params
from .core.reach import WHOLE, Reach
from .shared.reduce import reduce


class BatchNorm(LayerType):
    """y = (x - mean[c]) / sqrt(variance[c] + eps), by the stored statistics: blobs 0 and 1, divided by blob 2 (0 stands for 1 / 0 = 0).

    With `use_global_stats: false` by the mean and the (biased) variance of each channel over the batch at hand.

    Shapes: (N, C, ...); blobs (C), (C), (1).
    Source: batch_norm_layer.cpp
    """

    types = ("BatchNorm",)
    in_place = True
    scope = "channels"

    def read(self, p: Params) -> None:
        q = p.message("batch_norm_param")
        self.stored = q.get_bool("use_global_stats", True)
        self.eps = q.get_float("eps")
        q.ignore("moving_average_fraction", why="it weighs the statistics of batches in training")

    def weight_shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        return [(bottoms[0][1],), (bottoms[0][1],), (1,)]

    def random_weights(self, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> Sequence[Array]:
        mean, variance, _ = shapes
        return near(0, mean, rng), near(1, variance, rng), np.ones(1, np.float32)

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        (x,) = bottoms
        if len(x) < 2:
            raise ShapeError(
                f"the bottom has {len(x)} axes", layer=self.title, source=self.source, expected="2 or more: (N, C, ...)"
            )
        return [x]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        behind = (1,) * (x.ndim - 2)
        if self.stored:
            factor = 1 / weights[2][0] if weights[2][0] else weights[2].dtype.type(0)
            centred = x - (weights[0] * factor).reshape(-1, *behind)
            variance = (weights[1] * factor).reshape(-1, *behind)
        else:
            axes = (0, *range(2, x.ndim))
            centred = x - x.mean(axis=axes, keepdims=True)
            variance = (centred * centred).mean(axis=axes, keepdims=True)
        return [centred / np.sqrt(variance + x.dtype.type(self.eps))]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        if not self.stored:
            axes = (0, *range(2, len(x.shape)))
            centred = op("Sub", x, reduce(op, "ReduceMean", x, axes, keep=True))
            squares = reduce(op, "ReduceMean", op("Mul", centred, centred), axes, keep=True)
            return [op("Div", centred, op("Sqrt", op("Add", squares, op.const(self.eps))))]
        mean, variance = self._statistics(weights)
        ones = np.ones(len(mean), np.float32)
        return [op("BatchNormalization", x, ones, ones * 0, mean, variance, epsilon=self.eps)]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        rank = len(x.shape)
        if not self.stored:
            axes = (0, *range(2, rank))
            centred = op("Sub", x, op("ReduceMean", x, axes=axes, keepdims=1))
            variance = op("ReduceMean", op("Sqr", centred), axes=axes, keepdims=1)
            return [op("Div", centred, op("Sqrt", shifted(op, variance, self.eps)))]
        return [normalize(op, x, *self._statistics(weights), self.eps)]

    @staticmethod
    def _statistics(weights: Sequence[Array]) -> tuple[Array, Array]:
        """Mean and variance in float64."""
        total = weights[2].astype(np.float64)
        share = 1 / total if total[0] else total
        return weights[0] * share, weights[1] * share

    def affine(self, weights: Sequence[Array]) -> tuple[Array, Array] | None:
        if not self.stored:
            return None
        mean, variance = self._statistics(weights)
        scale = 1 / np.sqrt(variance + self.eps)
        return scale, -mean * scale

    def reach(self, bottoms: Sequence[Shape]) -> Sequence[Sequence[Reach] | None]:
        return super().reach(bottoms) if self.stored else [[WHOLE] * (len(bottoms[0]) - 2)]

    def per_position(self, params: Message, bottoms: Sequence[Shape]) -> Message:
        if not self.stored:
            raise self.refusal("takes its statistics from the batch and all positions together")
        return params
