"""Local: locally connected, a convolution whose weights differ from place to place."""

import numpy as np

from .caffe2.operators import columns_of
from .core import Arrays, LayerType, Op, Params, Reaches, Shape, Shapes, Size, Tensors, product
from .shared.convolve import padded, views
from .shared.windows import Windows, require_room


class Local(LayerType):
    """y[m, p] = b[m, p] + sum over c, k of W[m, (c, k), p] * x[c, stride * p + k - pad], x being 0 outside.

    The weights hold for one input size.

    Shapes: (N, C, H, W) -> (N, num_output, floor((H + 2 pad - kernel_size) / stride) + 1, ...), P places;
        W (num_output, 1, C kernel_size^2, P), b (1, 1, num_output, P).
    Source: local_layer.cpp of happynear/caffe-windows
    """

    types = ("Local",)

    def read(self, p: Params) -> None:
        q = p.message("local_param")
        self.num_output = q.get_positive("num_output", 0)
        self.bias_term = q.get_bool("bias_term")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        k, s, pad = q.get_positive("kernel_size", 0), q.get_positive("stride"), q.get_int("pad")
        self.windows = Windows((k, k), (s, s), (pad, pad), (1, 1))

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        rows, columns = self._out(x)
        depth = x[1] * self.windows.kernel[0] ** 2
        return [(self.num_output, 1, depth, rows * columns), (1, 1, self.num_output, rows * columns)][
            : 1 + self.bias_term
        ]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        require_room(self, Windows(self.windows.kernel, (1, 1), (0, 0), (1, 1)), x[2:])
        return [(x[0], self.num_output, *self._out(x))]

    def _out(self, x: Shape) -> tuple[Size, Size]:
        rows, columns = self.windows.out(x[2:])
        return rows, columns

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = padded(bottoms[0], self.windows)
        slid = views(x, self.windows)  # (N, C, rows, columns, k, k)
        c, rows, columns, *kernel = slid.shape[1:]
        w = weights[0].reshape(self.num_output, c, *kernel, rows, columns)
        y = np.einsum("ncijkl,mcklij->nmij", slid, w, optimize=True)
        return [y + weights[1].reshape(self.num_output, rows, columns) if self.bias_term else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        _, channels, h, w = (n if isinstance(n, int) else 0 for n in x.shape)  # the weights tie them down
        pad, (k, _), (s, _) = self.windows.pad, self.windows.kernel, self.windows.stride
        if any(pad):
            x = op("Pad", x, op.ints(0, 0, pad, 0, 0, pad))
        h, w = h + 2 * pad[0], w + 2 * pad[1]
        out = [(n - k) // s + 1 for n in (h, w)]
        place = (np.arange(out[0]) * s)[:, None] * w + np.arange(out[1]) * s
        inside = np.arange(channels)[:, None, None] * h * w + np.arange(k)[:, None] * w + np.arange(k)
        index = place.reshape(-1, 1) + inside.reshape(1, -1)  # (P, C k k): where each place finds its values in an item
        items = op("Transpose", op.reshape(x, -1, channels * h * w), perm=(1, 0))
        columns = op("Gather", items, op.const(index, "int64"), axis=0)  # (P, C k k, N)
        matrices = np.ascontiguousarray(weights[0][:, 0].transpose(2, 0, 1))  # (P, M, C k k)
        y = op("MatMul", op.weight(matrices, "weight"), columns)
        if self.bias_term:
            y = op("Add", y, op.weight(np.ascontiguousarray(weights[1][0, 0].T)[:, :, None], "bias"))
        return [op.reshape(op("Transpose", y, perm=(2, 1, 0)), -1, self.num_output, *out)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        rows, columns = (op.number(n) for n in self._out(x.shape))  # the weights tie them down
        at, depth = self.windows, weights[0].shape[2]
        windows = columns_of(op, x, at)
        items = op("Transpose", op.reshape(windows, 0, depth, rows * columns), axes=(2, 1, 0))  # (P, C k k, N)
        matrices = np.ascontiguousarray(weights[0][:, 0].transpose(2, 0, 1))  # (P, M, C k k)
        y = op("BatchMatMul", op.weight(matrices, "w"), items)
        if self.bias_term:
            y = op("Add", y, op.weight(np.ascontiguousarray(weights[1][0, 0].T)[:, :, None], "b"))
        return [op.reshape(op("Transpose", y, axes=(2, 1, 0)), 0, self.num_output, rows, columns)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [self.windows.reach]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(tops[0]) * bottoms[0][1] * product(self.windows.kernel)
