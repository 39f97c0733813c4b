"""Convolution: each output channel is a weighted sum over a window of the input channels of its group."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ..message import Field, Message
from .core import Array, Arrays, LayerType, Op, Params, Reaches, Shape, Shapes, Size, Surgery, Tensors, product
from .shared.convolve import convolve
from .shared.grouped import BLOCK, join_groups, spread_groups, take_in, with_bias
from .shared.windows import Windows, emit_conv, least_axes, read_windows, require_room, require_second

JOINED = (4, 8)
"""Groups of so many channels are joined to blocks, zeros between them: the faster way by tests/benchmarks/bench_layers.py."""


class Convolution(LayerType):
    """y[m, i] = b[m] + sum over c, k of W[m, c, k] * x[c, stride * i + dilation * k - pad], x being 0 outside.

    Any number of spatial axes; several bottoms, of one shape, share the weights, one top each.

    Shapes: (N, C, size...) -> (N, num_output, floor((size + 2 pad - dilation (kernel - 1) - 1) / stride) + 1 ...);
        W (num_output, C / group, kernel...), b (num_output).
    Source: conv_layer.cpp, base_conv_layer.cpp of BVLC; of video-caffe (NdConvolution) and sk-caffe (ConvolutionSK)
    """

    types: ClassVar[tuple[str, ...]] = ("Convolution", "NdConvolution", "ConvolutionSK")
    gives_features = True
    bottoms: ClassVar[tuple[int, int | None]] = (1, None)
    tops: ClassVar[tuple[int, int | None]] = (1, None)

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        from . import find

        fused = find("Convolution:fused") if p.sets("convolution_param", "relu", "fusion_type") else None
        return fused or cls

    def read(self, p: Params) -> None:
        self.p = q = p.message("convolution_param")
        self.num_output, self.group = q.get_int("num_output"), q.get_int("group")
        self.bias_term = q.get_bool("bias_term")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        if self.num_output < 1 or self.group < 1 or self.num_output % self.group:
            raise q.refuse(
                "num_output",
                f"num_output is {self.num_output}, group {self.group}",
                expected="positive numbers, num_output a multiple of group",
            )
        read_windows(q, least_axes(q))  # marks the fields as read, checks them
        require_second(q)
        self._windows: dict[int, Windows] = {}

    def windows(self, rank: int) -> Windows:
        """Kernel, stride, padding and dilation for bottoms of `rank` axes; read once, as it is asked at every change of size."""
        if rank not in self._windows:
            require_second(self.p, rank)
            self._windows[rank] = read_windows(self.p, rank - 2)
        return self._windows[rank]

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        kernel = self.num_output, x[1] // self.group, *self.windows(len(x)).kernel
        return [kernel, (self.num_output,)][: 1 + self.bias_term]

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.one_shape(bottoms)
        windows = self.windows(len(bottoms[0]))
        for x in bottoms:
            require_room(self, windows, x[2:])
        return [(x[0], self.num_output, *windows.out(x[2:])) for x in bottoms]

    def one_shape(self, bottoms: Shapes) -> None:
        """Raises: ShapeError unless all bottoms have one shape, with channels for every group and an axis to slide along."""
        first = bottoms[0]
        if len(first) < 3:
            self.rank(first, 4)
        self.require(first[1] - first[1] // self.group * self.group, 0, f"channels modulo group {self.group}")
        for i, x in enumerate(bottoms[1:], 1):
            self.rank(x, len(first), f"bottom {i}")
            self.require_alike(
                x,
                first,
                f"bottom {i}, that of bottom 0 being expected",
                fix='give each shape a layer of its own: those with the same names (param { name: "w" }) share weights',
            )

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        tops = []
        for x in bottoms:
            y = convolve(x, weights[0], self.windows(x.ndim), self.group)
            if self.bias_term:
                y += weights[1].reshape(-1, *(1,) * (x.ndim - 2))
            tops.append(y)
        return tops

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w, group = weights[0], self.group
        channels = w.shape[1]
        small = channels in JOINED and len(w) == group * channels and group % (BLOCK // channels) == 0
        if small and w.ndim == 4 and not op.plain and "Conv" not in op.nodes:
            w, group = join_groups(w, group, BLOCK // channels), group * channels // BLOCK
        kernel, bias = op.weight(w, "weight"), op.weight(weights[1], "bias") if self.bias_term else None
        return [emit_conv(op, x, kernel, bias, self.windows(w.ndim), group) for x in bottoms]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [self.windows(len(x)).reach for x in bottoms]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        weight = product(self.weight_shapes(bottoms)[0])
        return sum((y[0] * product(y[2:]) * weight for y in tops), 0)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        at = self.windows(len(bottoms[0]))
        if {*at.kernel, *at.stride} != {1} or any(at.pad):
            kernel = "x".join(map(str, at.kernel))
            raise self.refusal(f"its {kernel} kernel would see more than one position")
        return params

    def absorb(self, params: Message, weights: Arrays, scale: Array, shift: Array) -> Surgery | None:
        spread = np.broadcast_to(scale, (self.num_output,)).reshape(-1, *(1,) * (weights[0].ndim - 1))
        w = weights[0].astype(np.float64) * spread
        old = weights[1].astype(np.float64) if self.bias_term else np.zeros(self.num_output)
        return with_bias(params, "convolution_param", w, old * scale + shift)

    def ungrouped(self, params: Message, weights: Arrays) -> Surgery | None:
        if self.group == 1:
            return None
        param = params.with_fields(Field("convolution_param", params.last("convolution_param").without("group")))
        return param, (*(spread_groups(w, self.group) for w in weights[:1]), *weights[1:])

    def absorb_input(
        self, params: Message, weights: Arrays, bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        taken = take_in(weights[0], self.group, order, scale, shift)
        if taken is None or not shift.any():
            return taken and (params, (taken[0].astype(np.float32), *weights[1:]), True)
        bias = taken[1] + (weights[1] if self.bias_term else 0)
        return *with_bias(params, "convolution_param", taken[0], bias), not any(self.windows(len(bottom)).pad)
