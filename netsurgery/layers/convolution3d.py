"""Convolution3D: C3D's convolution over time, rows and columns."""

from .core import Arrays, LayerType, Op, Params, Reaches, Shapes, Size, Tensors, product
from .shared.convolve import convolve
from .shared.windows import emit_conv, read_video_windows, require_room


class Convolution3D(LayerType):
    """y[m, i] = b[m] + sum over c, k of W[m, c, k] * x[c, stride * i + k - pad], x being 0 outside.

    `filter_group` only splits the computation. The fields stand in convolution3d_param, or in convolution_param (C3D 1.0).

    Shapes: (N, C, L, H, W) -> (N, num_output, floor((L + 2 temporal_pad - kernel_depth) / temporal_stride) + 1,
        floor((H + 2 pad - kernel_size) / stride) + 1, ...); W (num_output, C, kernel_depth, kernel_size, kernel_size),
        b (1, 1, 1, 1, num_output).
    Source: convolution3d_layer.cpp of facebook/C3D
    """

    types = ("Convolution3D",)

    def read(self, p: Params) -> None:
        q = p.message("convolution3d_param" if p.has("convolution3d_param") else "convolution_param")
        self.num_output = q.get_int("num_output", 0)
        self.bias_term = q.get_bool("bias_term")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        filter_group = q.get_int("filter_group", 1)
        q.ignore("group", why="the layer does not read it")
        self.windows = read_video_windows(q, q.get_int("temporal_pad", 0))
        if self.num_output < 1 or filter_group < 1 or self.num_output % filter_group:
            raise q.refuse(
                "num_output",
                f"num_output is {self.num_output}, filter_group {filter_group}",
                expected="positive numbers, num_output a multiple of filter_group",
            )

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        weight = (self.num_output, bottoms[0][1], *self.windows.kernel)
        return [weight, (1, 1, 1, 1, self.num_output)][: 1 + self.bias_term]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 5)
        require_room(self, self.windows, x[2:])
        return [(x[0], self.num_output, *self.windows.out(x[2:]))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        y = convolve(bottoms[0], weights[0], self.windows, 1)
        return [y + weights[1].reshape(-1, 1, 1, 1) if self.bias_term else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        bias = op.weight(weights[1].reshape(-1), "bias") if self.bias_term else None
        return [emit_conv(op, bottoms[0], op.weight(weights[0], "weight"), bias, self.windows, 1)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [self.windows.reach]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(tops[0]) * bottoms[0][1] * product(self.windows.kernel)
