"""ConvolutionDepthwise: one kernel for each channel."""

import numpy as np

from ..message import Message
from .core import Array, Arrays, LayerType, Op, Params, Reaches, Shapes, Size, Surgery, Tensors, product
from .shared.convolve import convolve
from .shared.grouped import with_bias
from .shared.windows import Windows, emit_conv, read_windows, require_room


class ConvolutionDepthwise(LayerType):
    """y[c, i] = b[c] + sum over k of W[c, 0, k] * x[c, stride * i + dilation * k - pad], x being 0 outside.

    `num_output` and `group` mean nothing: there are as many outputs as channels. (Synopsys's layer of that name, a grouped Convolution,
    is the same where it has one kernel per channel; elsewhere its blobs have other shapes and are refused.)

    Shapes: (N, C, H, W) -> (N, C, floor((H + 2 pad - dilation (kernel - 1) - 1) / stride) + 1, ...); W (C, 1, kernel...), b (C).
    Source: conv_dw_layer.cpp of sp2823, in many forks
    """

    types = ("ConvolutionDepthwise",)
    gives_features = True
    note = "one kernel per channel whatever group and num_output say"

    def read(self, p: Params) -> None:
        q = p.message("convolution_param")
        self.bias_term = q.get_bool("bias_term")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        q.ignore("num_output", "group", "axis", why="the layer does not read them")
        self.windows: Windows = read_windows(q, 2)

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        channels = bottoms[0][1]
        return [(channels, 1, *self.windows.kernel), (channels,)][: 1 + self.bias_term]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        require_room(self, self.windows, x[2:])
        return [(*x[:2], *self.windows.out(x[2:]))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        y = convolve(x, weights[0], self.windows, x.shape[1])
        return [y + weights[1].reshape(-1, 1, 1) if self.bias_term else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w = op.weight(weights[0], "weight")
        bias = op.weight(weights[1], "bias") if self.bias_term else None
        (x,) = bottoms
        return [emit_conv(op, x, w, bias, self.windows, weights[0].shape[0])]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [self.windows.reach]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(tops[0]) * product(self.windows.kernel)

    def absorb(self, params: Message, weights: Arrays, scale: Array, shift: Array) -> Surgery | None:
        channels = weights[0].shape[0]
        w = weights[0].astype(np.float64) * np.broadcast_to(scale, (channels,)).reshape(-1, 1, 1, 1)
        old = weights[1].astype(np.float64) if self.bias_term else np.zeros(channels)
        return with_bias(params, "convolution_param", w, np.broadcast_to(old * scale + shift, (channels,)))
