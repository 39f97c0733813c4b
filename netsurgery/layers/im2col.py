"""Im2col: the windows of a convolution, laid out along the channels."""

import numpy as np

from .caffe2.operators import columns_of
from .core import Arrays, LayerType, Op, Params, Reaches, Shapes, Tensors, product
from .shared.convolve import padded, views
from .shared.windows import Windows, read_windows, require_room, require_second


class Im2col(LayerType):
    """y[c * K + k, i] = x[c, stride * i + dilation * k - pad], K being the number of kernel offsets k; x is 0 outside.

    Shapes: (N, C, size...) -> (N, C * K, floor((size + 2 pad - dilation (kernel - 1) - 1) / stride) + 1 ...).
    Source: im2col_layer.cpp
    """

    types = ("Im2col",)

    def read(self, p: Params) -> None:
        self.p = q = p.message("convolution_param")
        sides = any(q.has(f"{stem}_{side}") for stem in ("kernel", "stride", "pad", "dilation") for side in "hw")
        counts = [len(q.get_ints(name)) for name in ("kernel_size", "stride", "pad", "dilation")]
        read_windows(q, 2 if sides else max(1, *counts))  # marks the fields as read, checks them
        require_second(q)
        q.ignore("num_output", "bias_term", "group", why="Im2col only moves numbers")

    def windows(self, rank: int) -> Windows:
        require_second(self.p, rank)
        return read_windows(self.p, rank - 2)

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if len(x) < 3:
            self.rank(x, 4)
        at = self.windows(len(x))
        require_room(self, at, x[2:])
        return [(x[0], x[1] * product(at.kernel), *at.out(x[2:]))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        at, spatial = self.windows(x.ndim).over(x.shape[2:]), x.ndim - 2
        slid = views(padded(x, at), at)  # (N, C, *output, *kernel)
        columns = np.moveaxis(slid, range(2 + spatial, 2 + 2 * spatial), range(2, 2 + spatial))
        return [columns.reshape(x.shape[0], -1, *slid.shape[2 : 2 + spatial])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        rank = len(x.shape)
        at = self.windows(rank).over(x.shape[2:])
        count = int(np.prod(at.kernel))
        # each kernel has a single 1: a convolution of every channel by itself, whatever the number of channels
        picks = np.eye(count, dtype=np.float32).reshape(count, 1, *at.kernel)
        sizes = [op.size(x, i) for i in range(2, rank)]
        y = op("Conv", op.reshape(x, -1, 1, *sizes), picks, **at.attributes)
        channels = x.shape[1] * count
        batch, depth = op.size(x, 0), channels if isinstance(channels, int) else -1
        return [op.reshape(y, -1 if isinstance(channels, int) else batch, depth, *[0] * (rank - 2))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if len(x.shape) != 4:
            return super().emit_caffe2(op, bottoms, weights)
        return [columns_of(op, x, self.windows(4))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [self.windows(len(bottoms[0])).reach]
