"""SPP: spatial pyramid pooling, a vector of fixed length from an image of any size."""

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import pool
from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Size, Tensor, Tensors, ceil_div
from .shared.emission import reduce
from .shared.pooling_onnx import emit_global_max
from .shared.pools import LOWEST

MAX_LEVELS = 12
"""At level 12 there would be more bins than pixels of any image."""


class SPP(LayerType):
    """Level l cuts the image into 2^l x 2^l bins and takes the greatest (MAX) or the average (AVE) value of each.

    A bin is kernel = ceil(size / 2^l) wide; what the bins exceed the image by, 2^l kernel - size, lies half before it (the greater
    half) and half behind it. AVE divides by kernel_h * kernel_w, with 0 outside the image.

    Shapes: (N, C, H, W) -> (N, C * (1 + 4 + .. + 4^(pyramid_height - 1))), level by level; with one level (N, C, 1, 1).
    Source: spp_layer.cpp, pooling_layer.cpp
    """

    types = ("SPP",)

    def read(self, p: Params) -> None:
        q = p.message("spp_param")
        self.levels = q.get_int("pyramid_height", 0)
        self.method = q.get_str("pool")
        if not 1 <= self.levels <= MAX_LEVELS:
            raise q.refuse("pyramid_height", f"pyramid_height is {self.levels}", expected=f"1 to {MAX_LEVELS}")
        if self.method not in ("MAX", "AVE"):
            raise q.refuse(
                "pool",
                f"pool is {self.method}",
                expected="MAX or AVE",
                fix="STOCHASTIC pooling draws at random: choose one of the two",
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        for level in range(self.levels):
            self._require_full_bins(2**level, x[2:])
        if self.levels == 1:
            return [(x[0], x[1], 1, 1)]
        return [(x[0], x[1] * sum(4**level for level in range(self.levels)))]

    def _require_full_bins(self, bins: int, sizes: Sequence[Size]) -> None:
        """Raises: ShapeError where the first bin would lie outside the image, as Caffe's Pooling refuses."""
        for size in sizes:
            kernel = ceil_div(size, bins)
            pad = ceil_div(kernel * bins - size, 2)
            if (
                isinstance(size, int)
                and isinstance(kernel, int)
                and isinstance(pad, int)
                and (size < 1 or pad >= kernel)
            ):
                raise ShapeError(
                    f"a size of {size} does not fill {bins} bins: kernel {kernel}, pad {pad}",
                    layer=self,
                    expected="pad less than kernel",
                    fix="a larger image, or a lower pyramid_height",
                )

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        n, c, *sizes = x.shape
        if self.method == "MAX":  # no comparison with NaN is true
            x = np.maximum(np.where(np.isnan(x), x.dtype.type(-np.inf), x), x.dtype.type(LOWEST))
        tops = []
        for bins in (2**level for level in range(self.levels)):
            (kh, h_pads), (kw, w_pads) = (self._bin(size, bins) for size in sizes)
            fill = -np.inf if self.method == "MAX" else 0
            around = np.pad(x, [(0, 0), (0, 0), h_pads, w_pads], constant_values=fill)
            cells = around.reshape(n, c, bins, kh, bins, kw)
            pooled = cells.max(axis=(3, 5)) if self.method == "MAX" else cells.mean(axis=(3, 5))
            tops.append(pooled.reshape(n, c * bins * bins))
        return [np.concatenate(tops, axis=1) if self.levels > 1 else tops[0].reshape(n, c, 1, 1)]

    @staticmethod
    def _bin(size: int, bins: int) -> tuple[int, tuple[int, int]]:
        """Kernel, and padding before and behind."""
        kernel = -(-size // bins)
        excess = kernel * bins - size
        return kernel, ((excess + 1) // 2, excess // 2)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.method == "MAX":
            whole = emit_global_max(op, x)[0]
        else:
            whole = op("GlobalAveragePool", x)
        if self.levels == 1:
            return [whole]
        size = op.ints(op.size(x, 2), op.size(x, 3))
        tops = [whole, *(self._pool(op, x, size, 2**level) for level in range(1, self.levels))]
        return [op("Concat", *(op("Flatten", top, axis=1) for top in tops), axis=1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        kind = "MaxPool" if self.method == "MAX" else "AveragePool"
        tops = [op(kind, x, global_pooling=1)]
        sizes = [op.number(n) for n in x.shape[2:]] if self.levels > 1 else []
        for bins in (2**level for level in range(1, self.levels)):
            kernel = [-(-n // bins) for n in sizes]
            over = [k * bins - n for k, n in zip(kernel, sizes, strict=True)]
            pads = (*((n + 1) // 2 for n in over), *(n // 2 for n in over))
            counts = None if self.method == "MAX" else 1
            tops.append(pool(op, kind, x, kernel, kernel, pads, count_include_pad=counts))
        if self.levels == 1:
            return tops
        return [op("Concat", *(op("Flatten", top, axis=1) for top in tops), axis=1)]

    def _pool(self, op: Op, x: Tensor, size: Tensor, bins: int) -> Tensor:
        """(N, C, bins, bins): the bins are filled up around the image, then each is an axis pair of its own."""
        kernel = op("Div", op("Add", size, op.ints(bins - 1)), op.ints(bins))
        excess = op("Sub", op("Mul", kernel, op.ints(bins)), size)
        behind = op("Div", excess, op.ints(2))
        before = op("Sub", excess, behind)
        fill = op.const(-np.inf if self.method == "MAX" else 0)
        around = op("Pad", x, op.ints(0, 0, before, 0, 0, behind), fill)
        height = op("Gather", kernel, op.ints(0))
        cells = op.reshape(around, 0, 0, bins, height, bins, -1)
        return reduce(op, "ReduceMax" if self.method == "MAX" else "ReduceMean", cells, (3, 5))
