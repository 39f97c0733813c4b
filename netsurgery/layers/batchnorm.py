"""BatchNorm: every channel to mean 0 and variance 1."""

import numpy as np

from .caffe2.operators import normalize
from .core import WHOLE, Array, Arrays, Filler, LayerType, Message, Op, Params, Reaches, Shape, Shapes, Tensors, near
from .core.aliases import Rng, Sizes
from .shared.emission import reduce, shifted


class BatchNorm(LayerType):
    """y = (x - mean[c]) / sqrt(variance[c] + eps), by the stored statistics: blobs 0 and 1, divided by blob 2 (0 stands for 1 / 0 = 0).

    With `use_global_stats: false` by the mean and the (biased) variance of each channel over the batch at hand. In NVIDIA's and Intel's
    forms with five blobs (`scale_bias`, or a filler of theirs) y is multiplied by blob 3 and increased by blob 4; NVIDIA's always
    uses the stored statistics, with an eps of at least 1e-5. `disable_mean`, `disable_variance` (happynear) leave out one step.

    Shapes: (N, C, ...); blobs (C), (C), (1), in the forms with five also (C), (C).
    Source: batch_norm_layer.cpp of BVLC, NVIDIA/caffe, intel/caffe, happynear/caffe-windows
    """

    types = ("BatchNorm", "CuDNNBatchNorm")
    note = "BVLC's; NVIDIA's and Intel's with five blobs by formula"
    in_place = True
    scope = "channels"
    fewest_axes = 2

    def read(self, p: Params) -> None:
        q = p.message("batch_norm_param")
        self.stored = q.get_bool("use_global_stats", True)
        self.eps = q.get_float("eps")
        nvidia = [q.get_bool("scale_bias"), q.has("scale_filler"), q.has("bias_filler"), self.type != "BatchNorm"]
        self.scales = self.blob_count == 5 or (not self.blob_count and any(nvidia[:3]))
        if any(nvidia):
            self.stored, self.eps = True, max(self.eps, float(np.float32(1e-5)))
        self.less_mean, self.less_variance = not q.get_bool("disable_mean"), not q.get_bool("disable_variance")
        if self.scales:
            self.fillers = Filler(), Filler(), Filler(), q.filler("scale_filler", 1.0), q.filler("bias_filler")
        for name in ("relu", "fused_relu"):
            if q.get_bool(name):
                raise q.refuse(name, f"{name}: a ReLU inside the layer", expected="false, and a ReLU layer behind it")
        if not q.get_bool("add_eps_before_sqrt"):
            raise q.refuse("add_eps_before_sqrt", "eps is added behind the root", expected="true")
        q.ignore("use_weight_bias", "bias_term", "filler", why="the blobs that are there are used")
        q.ignore("moving_average_fraction", why="it weighs the statistics of batches in training")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        channels: Shape = (bottoms[0][1],)
        return [channels, channels, (1,), *[channels] * (2 * self.scales)]

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        mean, variance, _, *others = shapes
        scaled = (near(value, shape, rng) for value, shape in zip((1, 0), others, strict=False))
        return near(0, mean, rng), near(1, variance, rng), np.ones(1, np.float32), *scaled

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        behind = (1,) * (x.ndim - 2)
        if self.stored:
            factor = 1 / weights[2][0] if weights[2][0] else weights[2].dtype.type(0)
            centred = x - (weights[0] * factor).reshape(-1, *behind) if self.less_mean else x
            variance = (weights[1] * factor).reshape(-1, *behind)
        else:
            axes = (0, *range(2, x.ndim))
            centred = x - x.mean(axis=axes, keepdims=True) if self.less_mean else x
            variance = (centred * centred).mean(axis=axes, keepdims=True)
        y = centred / np.sqrt(variance + x.dtype.type(self.eps)) if self.less_variance else centred
        if self.scales:
            y = y * weights[3].reshape(-1, *behind) + weights[4].reshape(-1, *behind)
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if not self.stored:
            axes = (0, *range(2, len(x.shape)))
            centred = op("Sub", x, reduce(op, "ReduceMean", x, axes, keep=True)) if self.less_mean else x
            y = centred
            if self.less_variance:
                squares = reduce(op, "ReduceMean", op("Mul", centred, centred), axes, keep=True)
                y = op("Div", centred, op("Sqrt", op("Add", squares, op.const(self.eps))))
            if self.scales:
                shape = (-1, *(1,) * (len(x.shape) - 2))
                y = op("Mul", y, op.weight(weights[3].reshape(shape), "scale"))
                y = op("Add", y, op.weight(weights[4].reshape(shape), "bias"))
            return [y]
        mean, variance = self._statistics(weights)
        ones = np.ones(len(mean), np.float32)
        scale, bias = weights[3:5] if self.scales else (ones, ones * 0)
        return [op("BatchNormalization", x, scale, bias, mean, variance, epsilon=self.eps)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        rank = len(x.shape)
        if not self.stored:
            axes = (0, *range(2, rank))
            y = centred = op("Sub", x, op("ReduceMean", x, axes=axes, keepdims=1)) if self.less_mean else x
            if self.less_variance:
                variance = op("ReduceMean", op("Sqr", centred), axes=axes, keepdims=1)
                y = op("Div", centred, op("Sqrt", shifted(op, variance, self.eps)))
            if self.scales:
                shape = (-1, *(1,) * (rank - 2))
                y = op("Mul", y, op.weight(weights[3].reshape(shape), "s"))
                y = op("Add", y, op.weight(weights[4].reshape(shape), "b"))
            return [y]
        return [normalize(op, x, *self._statistics(weights), self.eps, *weights[3:5])]

    def _statistics(self, weights: Arrays) -> tuple[Array, Array]:
        """Mean and variance in float64, so that the step that is left out changes nothing."""
        total = weights[2].astype(np.float64)
        share = 1 / total if total[0] else total
        mean = weights[0] * share * self.less_mean
        return mean, weights[1] * share if self.less_variance else np.ones_like(mean) - self.eps

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        if not self.stored:
            return None
        mean, variance = self._statistics(weights)
        scale = 1 / np.sqrt(variance + self.eps)
        if not self.scales:
            return scale, -mean * scale
        scale = scale * weights[3]
        return scale, weights[4] - mean * scale

    def reach(self, bottoms: Shapes) -> Reaches:
        return super().reach(bottoms) if self.stored else [[WHOLE] * (len(bottoms[0]) - 2)]

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if not self.stored:
            raise self.refusal("takes its statistics from the batch and all positions together")
        return params
