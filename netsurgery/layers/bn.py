"""BN: two layers of one name. PSPNet's normalises by stored statistics, SegNet's by those of the batch, or it only scales."""

import numpy as np

from .caffe2.operators import normalize
from .core import WHOLE, Array, Arrays, Filler, LayerType, Message, Op, Params, Reaches, Shapes, Tensors, near
from .core.aliases import Rng, Sizes
from .shared.emission import reduce, shifted

SEGNET_EPS = 1e-9


class BN(LayerType):
    """PSPNet's form, 4 blobs: y = slope (x - mean) / sqrt(variance + eps) + bias, per channel.

    SegNet's form, 2 blobs: y = scale x + shift (`bn_mode: INFERENCE`), or y = scale (x - m) / sqrt(v + 1e-9) + shift (LEARN, the
    default) with the mean m and the variance v = mean(x^2) - m^2 of the batch, which are tops 2 and 3.
    Without a weights file, `bn_mode`, `scale_filler`, `shift_filler` or more than one top tell SegNet's form.

    Shapes: (N, C, ...) -> the same, (1, C, 1, 1) twice; blobs (1, C, 1, 1).
    Source: bn_layer.cpp of hszhao/PSPNet, of alexgkendall/caffe-segnet
    """

    types = ("BN",)
    tops = (1, 3)
    in_place = True
    scope = "channels"
    fewest_axes = 2
    note = "PSPNet's form (4 blobs) and SegNet's (2 blobs, or bn_mode)"

    def read(self, p: Params) -> None:
        q = p.message("bn_param")
        said = [q.has(name) for name in ("bn_mode", "scale_filler", "shift_filler")]
        icnet = q.get_bool("icnet")  # Synopsys's way to say PSPNet's form
        self.segnet = self.blob_count == 2 if self.blob_count else (any(said) or self.top_count > 1) and not icnet
        self.learn = self.segnet and q.get_str("bn_mode") == "LEARN"
        if self.segnet:
            self.fillers = q.filler("scale_filler"), q.filler("shift_filler")
            return
        self.fillers = q.filler("slope_filler"), q.filler("bias_filler"), Filler(), Filler(value=1.0)
        self.eps = q.get_float("eps")
        q.ignore("momentum", "frozen", why="steers training: the stored statistics are used in any case")
        if said[0]:
            raise q.refuse("bn_mode", "bn_mode with the blobs of PSPNet's form", expected="2 blobs, or no bn_mode")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [(1, bottoms[0][1], 1, 1)] * (2 if self.segnet else 4)

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        return [near(value, shape, rng) for value, shape in zip((1.0, 0.0, 0.0, 1.0), shapes, strict=False)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if self.segnet:
            self.rank(x, 4)
            return [x, *[(1, x[1], 1, 1)] * (2 * self.learn)]
        return super().shapes(bottoms)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        blobs = [w.reshape(-1, *[1] * (x.ndim - 2)) for w in weights]
        if not self.segnet:
            slope, bias, mean, variance = blobs
            return [slope * ((x - mean) * (variance + x.dtype.type(self.eps)) ** x.dtype.type(-0.5)) + bias]
        scale, shift = blobs
        if not self.learn:
            return [scale * x + shift]
        m = x.mean(axis=(0, 2, 3), keepdims=True)
        v = np.square(x).mean(axis=(0, 2, 3), keepdims=True) - np.square(m)
        return [scale * ((x - m) / np.sqrt(v + x.dtype.type(SEGNET_EPS))) + shift, m, v]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if not self.segnet:
            names = ("slope", "bias", "mean", "variance")
            vectors = [op.weight(w.reshape(-1), name) for w, name in zip(weights, names, strict=True)]
            return [op("BatchNormalization", x, *vectors, epsilon=self.eps)]
        scale, shift = op.weight(weights[0], "scale"), op.weight(weights[1], "shift")
        if not self.learn:
            return [op("Add", op("Mul", x, scale), shift)]
        m = reduce(op, "ReduceMean", x, (0, 2, 3), keep=True)
        v = op("Sub", reduce(op, "ReduceMean", op("Mul", x, x), (0, 2, 3), keep=True), op("Mul", m, m))
        deviation = op("Sqrt", op("Add", v, op.const(SEGNET_EPS)))
        return [op("Add", op("Mul", op("Div", op("Sub", x, m), deviation), scale), shift), m, v]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if not self.segnet:
            slope, bias, mean, variance = (w.reshape(-1) for w in weights)
            return [normalize(op, x, mean, variance, self.eps, slope, bias)]
        scale, shift = op.weight(weights[0], "s"), op.weight(weights[1], "b")
        if not self.learn:
            return [op("Add", op("Mul", x, scale), shift)]
        m = op("ReduceMean", x, axes=(0, 2, 3), keepdims=1)
        v = op("Sub", op("ReduceMean", op("Sqr", x), axes=(0, 2, 3), keepdims=1), op("Sqr", m))
        deviation = op("Sqrt", shifted(op, v, SEGNET_EPS))
        return [op("Add", op("Mul", op("Div", op("Sub", x, m), deviation), scale), shift), m, v]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * 2] if self.learn else super().reach(bottoms)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if self.segnet:  # whose maps have four axes: vectors made by an InnerProduct never come here
            raise self.refusal("takes its statistics from the batch" if self.learn else "needs a map")
        return params

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        if self.learn or not weights:
            return None
        blobs = [w.reshape(-1).astype(np.float64) for w in weights]
        if self.segnet:
            return blobs[0], blobs[1]
        slope, bias, mean, variance = blobs
        factor = slope / np.sqrt(variance + self.eps)
        return factor, bias - mean * factor
