"""Deconvolution: each input value spreads over a window of the output, weighted; the transpose of a Convolution."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from ..errors import ShapeError
from ..message import Message
from .caffe2.deconvolution import emit_3d
from .caffe2.operators import places, refuse
from .convolution import Convolution
from .core import Array, Arrays, Op, Reaches, Shape, Shapes, Size, Surgery, Tensors, he_normal, near, product, spread
from .core.aliases import Rng, Sizes
from .shared.grouped import BLOCK, one_by_one, turned, with_bias
from .shared.windows import Windows


class Deconvolution(Convolution):
    """y[m, stride * i + dilation * k - pad] = b[m] + sum over c, i, k that meet there of W[c, m, k] * x[c, i].

    Shapes: (N, C, size...) -> (N, num_output, stride (size - 1) + dilation (kernel - 1) + 1 - 2 pad ...);
        W (C, num_output / group, kernel...), b (num_output).
    Source: deconv_layer.cpp, base_conv_layer.cpp
    """

    types = ("Deconvolution",)

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        weight: Shape = (x[1], self.num_output // self.group, *self.windows(len(x)).kernel)
        return [weight, (self.num_output,)][: 1 + self.bias_term]

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        at = self.windows(len(shapes[0]))  # about kernel / stride values of each channel of the group meet in an output
        fan_in = shapes[0][0] // self.group * prod(at.kernel) / prod(at.stride)
        return [he_normal(shapes[0], fan_in, rng), *(near(0, shape, rng) for shape in shapes[1:])]

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.one_shape(bottoms)
        at = self.windows(len(bottoms[0]))
        tops: list[Shape] = []
        for x in bottoms:
            sizes = [s * (n - 1) + e - 2 * p for n, s, e, p in zip(x[2:], at.stride, at.extent, at.pad, strict=True)]
            if any(isinstance(n, int) and n < 1 for n in sizes):
                raise ShapeError(f"padding leaves nothing of the top: {sizes}", layer=self, expected="positive sizes")
            tops.append((x[0], self.num_output, *sizes))
        return tops

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        tops = [self._spread(x, weights[0]) for x in bottoms]
        if self.bias_term:
            for y in tops:
                y += weights[1].reshape(-1, *(1,) * (y.ndim - 2))
        return tops

    def _spread(self, x: Array, w: Array) -> Array:
        at, sizes, group = self.windows(x.ndim), x.shape[2:], self.group
        full = [s * (n - 1) + e for n, s, e in zip(sizes, at.stride, at.extent, strict=True)]
        y = np.zeros((x.shape[0], self.num_output, *full), x.dtype)
        columns = x.reshape(x.shape[0], group, -1, int(np.prod(sizes)))
        matrices = w.reshape(group, x.shape[1] // group, self.num_output // group, -1).transpose(3, 0, 2, 1)
        for matrix, offset in zip(matrices, np.ndindex(*at.kernel), strict=True):
            axes = zip(offset, at.dilation, at.stride, sizes, strict=True)
            met = [slice(o * d, o * d + s * (n - 1) + 1, s) for o, d, s, n in axes]
            y[(slice(None), slice(None), *met)] += (matrix @ columns).reshape(x.shape[0], self.num_output, *sizes)
        inner = [slice(p, n - p) for p, n in zip(at.pad, full, strict=True)]
        return np.ascontiguousarray(y[(slice(None), slice(None), *inner)])

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        # both by measurement: tests/benchmarks/bench_layers.py
        w, group, at = weights[0], self.group, self.windows(weights[0].ndim)
        if group == 1 and not op.plain and (alone := one_by_one(w)) is not None:
            w, group = alone, len(w)
        bias = op.weight(weights[1], "bias") if self.bias_term else None
        if not op.plain and (inner := self._convolved(w, at)):
            kernel = op.weight(turned(w, group), "weight")
            return [op("Conv", x, kernel, bias, **inner.attributes, group=group) for x in bottoms]
        kernel = op.weight(w, "weight")
        return [op("ConvTranspose", x, kernel, bias, **at.attributes, group=group) for x in bottoms]

    @staticmethod
    def _convolved(w: Array, at: Windows) -> Windows | None:
        """The windows of a Convolution that does the same in less time: with stride 1, where the top is not larger than the bottom."""
        pad = tuple(e - 1 - p for e, p in zip(at.extent, at.pad, strict=True))
        less = max(at.stride) == 1 and all(0 <= q <= p for q, p in zip(pad, at.pad, strict=True))
        return replace(at, pad=pad) if less and w.ndim == 4 and len(w) % BLOCK == 0 else None

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w = weights[0]
        at = self.windows(w.ndim)
        if w.ndim > 5:
            raise refuse(self, f"its operators have up to 3 spatial axes, not {w.ndim - 2}")
        if w.ndim == 5:
            bias = op.weight(weights[1], "b") if self.bias_term else None
            return [emit_3d(op, x, w, bias, at, self.group) for x in bottoms]
        if max(at.dilation) > 1:  # which it passes over: zeros between the numbers of the kernel say the same
            whole, dilated = slice(None), np.zeros((*w.shape[:2], *at.extent), np.float32)
            dilated[(whole, whole, *(slice(None, None, d) for d in at.dilation))] = w
            w = dilated
        line = w.ndim == 3
        kernel, stride, pad = (
            ((1, *at.extent), (1, *at.stride), (0, *at.pad)) if line else (at.extent, at.stride, at.pad)
        )
        inputs = [op.weight(w[:, :, None] if line else w, "w")]
        inputs += [op.weight(weights[1], "b")] if self.bias_term else []
        tops = []
        for x in bottoms:
            x = op.reshape(x, 0, 0, 1, -1) if line else x
            group = self.group if self.group > 1 else None
            y = op("ConvTranspose", x, *inputs, **places(kernel, stride, (*pad, *pad)), group=group)
            tops.append(op.reshape(y, 0, 0, -1) if line else y)
        return tops

    def reach(self, bottoms: Shapes) -> Reaches:
        sizes = [self.windows(len(x)) for x in bottoms]
        return [[spread(*axis) for axis in zip(at.extent, at.stride, at.pad, at.dilation, strict=True)] for at in sizes]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        weight = product(self.weight_shapes(bottoms)[0])
        return sum((x[0] * product(x[2:]) * weight for x in bottoms), 0)

    def absorb(self, params: Message, weights: Arrays, scale: Array, shift: Array) -> Surgery | None:
        w = weights[0].astype(np.float64)
        factor = np.broadcast_to(scale, (self.num_output,)).reshape(self.group, 1, -1, *(1,) * (w.ndim - 2))
        grouped = w.reshape(self.group, -1, *w.shape[1:]) * factor
        old = weights[1].astype(np.float64) if self.bias_term else np.zeros(self.num_output)
        return with_bias(params, "convolution_param", grouped.reshape(w.shape), old * scale + shift)

    def absorb_input(
        self, params: Message, weights: Arrays, bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        if shift.any() or (self.group != 1 and list(order) != sorted(order)):
            return None  # how many windows meet in an output differs from place to place: the shift adds no constant
        w = weights[0] * scale.reshape(-1, *(1,) * (weights[0].ndim - 1))
        return params, (w[np.argsort(order)].astype(np.float32), *weights[1:]), True
