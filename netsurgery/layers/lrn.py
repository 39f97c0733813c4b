"""LRN: local response normalization, over neighbouring channels or neighbouring positions."""

import numpy as np

from .caffe2.operators import pool
from .core import Array, Arrays, LayerType, Message, Op, Params, Reaches, Shapes, Tensor, Tensors, window
from .shared.emission import scaled, shifted
from .shared.grouped import BLOCK

MOST_CHANNELS = 384
"""Up to so many channels the band matrix of their neighbours is faster than the node, whose work does not grow with their square."""


class LRN(LayerType):
    """ACROSS_CHANNELS: y = x (k + alpha / n * sum of x^2 over the n nearest channels)^-beta, n being `local_size`.

    WITHIN_CHANNEL: y = x (1 + alpha / n^2 * sum of x^2 over the n x n positions around it)^-beta, whatever k is. Beyond the border
    there are zeros.

    Shapes: (N, C, H, W).
    Source: lrn_layer.cpp
    """

    types = ("LRN",)
    scope = "channels"

    def read(self, p: Params) -> None:
        q = p.message("lrn_param")
        self.size = q.get_int("local_size")
        self.alpha, self.beta, self.k = q.get_float("alpha"), q.get_float("beta"), q.get_float("k")
        self.within = q.get_str("norm_region") == "WITHIN_CHANNEL"
        self.in_place = self.within  # across channels Caffe overwrites the bottom before it needs it
        if self.size % 2 == 0:
            raise q.refuse("local_size", f"local_size is {self.size}", expected="an odd number")
        if self.within:
            self.k = 1.0

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.rank(bottoms[0], 4)
        return [bottoms[0]]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [x * self.base(x) ** x.dtype.type(-self.beta)]

    def base(self, x: Array) -> Array:
        """k + alpha times the mean of x^2 over the neighbours."""
        return x.dtype.type(self.k) + self.neighbours(x * x)

    def neighbours(self, x: Array) -> Array:
        """alpha times the mean of x over the neighbours."""
        for axis in (2, 3) if self.within else (1,):
            x = self._slide(x, axis)
        return x * x.dtype.type(self.alpha / (self.size**2 if self.within else self.size))

    def _slide(self, x: Array, axis: int) -> Array:
        """The sum of x over the `size` nearest places along an axis."""
        count, half = x.shape[axis], self.size // 2
        y = np.zeros_like(x)
        for offset in range(-min(half, count - 1), min(half, count - 1) + 1):
            target = [slice(None)] * axis + [slice(max(0, -offset), count - max(0, offset))]
            source = [slice(None)] * axis + [slice(max(0, offset), count - max(0, -offset))]
            y[tuple(target)] += x[tuple(source)]
        return y

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        channels, usual = x.shape[1], self.alpha > 0 and self.beta > 0  # else runtimes refuse the node
        if self.within and isinstance(channels, int) and channels % BLOCK == 0 and not op.plain:
            return [self._divided(op, x, self._window_sums(op, x, channels))]
        if self.within or not usual:
            return [self._divided(op, x, self._base(op, x))]
        if not isinstance(channels, int) and not op.plain:  # OpenVINO's node wants to know how many
            return [self._divided(op, x, self._base(op, x))]
        # OpenCV 5 fills up blocks of channels with zeros, which would divide zeros: 0 / 0
        plain = op.plain or "LRN" in op.nodes
        if plain or not isinstance(channels, int) or channels > MOST_CHANNELS or channels % BLOCK:
            return [op("LRN", x, size=self.size, alpha=self.alpha, beta=self.beta, bias=self.k)]
        # the sum over neighbours as a 1x1 Conv: 2 to 4 times as fast as the node (tests/benchmarks/bench_layers.py)
        place = np.arange(channels)
        band = (abs(place[:, None] - place) <= self.size // 2) * np.float32(self.alpha / self.size)
        kernel, bias = op.const(band[:, :, None, None]), op.const(np.full(channels, self.k))
        return [self._divided(op, x, op("Conv", op("Mul", x, x), kernel, bias, kernel_shape=(1, 1)))]

    def _window_sums(self, op: Op, x: Tensor, channels: int) -> Tensor:
        """k + alpha * mean of x^2 over the window, as one depthwise Conv: average, Mul and Add take as long as two more passes over x."""
        kernel = op.const(np.full((channels, 1, self.size, self.size), self.alpha / self.size**2))
        sides, pads, one = (self.size,) * 2, (self.size // 2,) * 4, op.const(np.full(channels, self.k))
        return op("Conv", op("Mul", x, x), kernel, one, kernel_shape=sides, pads=pads, group=channels)

    def _base(self, op: Op, x: Tensor) -> Tensor:
        """k + alpha * mean of x^2, by an average over the neighbours."""
        mean, half = op("Mul", x, x), self.size // 2
        if self.within:
            kernel, pads = (self.size, self.size), (half,) * 4
        else:  # the channels as the rows of an image
            kernel, pads = (self.size, 1), (half, 0, half, 0)
            mean = op.reshape(mean, 0, 1, op.size(x, 1), -1)
        mean = op("AveragePool", mean, kernel_shape=kernel, pads=pads, strides=(1, 1), count_include_pad=1)
        if not self.within:
            mean = op("Reshape", mean, op("Shape", x))
        return op("Add", op("Mul", mean, op.const(self.alpha)), op.const(self.k))

    def _divided(self, op: Op, x: Tensor, base: Tensor) -> Tensor:
        """x base^-beta; roots for the usual 3/4, which cost a third of Pow."""
        if self.beta == 0.75 and not op.plain:
            root = op("Sqrt", base)
            return op("Div", x, op("Mul", root, op("Sqrt", root)))
        return op("Mul", x, op("Pow", base, op.const(-self.beta)))

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if not self.within:
            return [op.many(2, "LRN", x, size=self.size, alpha=self.alpha, beta=self.beta, bias=self.k)[0]]
        half = (self.size // 2,) * 4
        mean = pool(op, "AveragePool", op("Sqr", x), (self.size,) * 2, (1, 1), half, count_include_pad=1)
        base = shifted(op, scaled(op, mean, self.alpha), self.k)
        return [op("Mul", x, op("Pow", base, exponent=-self.beta))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[window(self.size, 1, self.size // 2)] * 2] if self.within else super().reach(bottoms)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if self.within and self.size > 1:
            raise self.refusal(f"would see the {self.size}x{self.size} positions around each")
        return params
