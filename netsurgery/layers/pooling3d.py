"""Pooling3D: poolings over time, rows and columns. C3D's keeps every last window; P3D's is an ordinary Pooling."""

import numpy as np

from .caffe2.pooling import emit_average, emit_max
from .core import Arrays, LayerType, Op, Params, Reaches, ShapeError, Shapes, Tensors
from .pooling import Pooling
from .shared.pool_windows import PoolWindows
from .shared.pools import LOWEST, greatest, sums
from .shared.windows import read_video_windows

P3D_FIELDS = ("kernel_l", "stride_l", "pad_l", "kernel_h", "kernel_w", "global_pooling")


class Pooling3D(LayerType):
    """MAX: y[i] = max of x over window i, cut off at the image. AVE: y[i] = sum of x over window i / its size, cut off at the padded image.

    Only AVE is padded, and only rows and columns are. The fields stand in pooling3d_param, or in pooling_param (C3D 1.0).

    Shapes: (N, C, L, H, W) -> (N, C, ceil((L - kernel_depth) / temporal_stride) + 1, ceil((H + 2 pad - kernel_size) / stride) + 1, ...).
    Source: pool3d_layer.cpp of facebook/C3D
    """

    types = ("Pooling3D",)
    note = "C3D's; with kernel_l and the like P3D's, which leaves out a last window in the padding"

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        return Pooling3DP3D if p.sets("pooling3d_param", *P3D_FIELDS) else cls

    def read(self, p: Params) -> None:
        q = p.message("pooling3d_param" if p.has("pooling3d_param") else "pooling_param")
        self.method = q.get_str("pool")
        if self.method not in ("MAX", "AVE"):
            raise q.refuse("pool", f"pool is {self.method}", expected="MAX or AVE")
        self.windows = read_video_windows(q, 0)
        pad = self.windows.pad[1]
        if pad and (self.method == "MAX" or pad >= self.windows.kernel[1]):
            raise q.refuse("pad", f"pad is {pad}", expected="0 for MAX" if self.method == "MAX" else "less than kernel")

    @property
    def pools(self) -> PoolWindows:
        return PoolWindows(self.windows, True, (False,) * 3)

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 5)
        at, out = self.windows, self.pools.out(x[2:])
        for n, m, s, p in zip(x[2:], out, at.stride, at.pad, strict=True):
            if (
                isinstance(n, int)
                and isinstance(m, int)
                and (m < 1 or (self.method == "AVE" and (m - 1) * s >= n + 2 * p))
            ):
                raise ShapeError(
                    f"a window lies outside the bottom, of size {n}",
                    layer=self,
                    expected="windows that hold at least one value",
                )
        return [(*x[:2], *out)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        at = self.windows
        out = [int(n) for n in self.shapes([x.shape])[0][2:] if isinstance(n, int)]
        if self.method == "MAX":
            return [greatest(x, at, out)]
        sizes = [
            np.minimum(np.arange(m) * s + k, n + 2 * p) - np.arange(m) * s
            for n, m, k, s, p in zip(x.shape[2:], out, at.kernel, at.stride, at.pad, strict=True)
        ]
        return [sums(x, at, out) / np.einsum("i,j,k->ijk", *sizes).astype(x.dtype)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        at = self.windows
        tail = [s - 1 for s in at.stride]
        rounds = any(
            s > 1 and not (isinstance(n, int) and (n + 2 * p - k) % s == 0)
            for n, k, s, p in zip(x.shape[2:], at.kernel, at.stride, at.pad, strict=True)
        )
        if self.method == "MAX":
            # a last window may hold nothing: ONNX drops it
            if any(s > k for s, k in zip(at.stride, at.kernel, strict=True)):
                x, rounds = op("Pad", x, op.ints([0] * 7, tail), op.const(LOWEST)), False
            return [op("MaxPool", x, kernel_shape=at.kernel, strides=at.stride, ceil_mode=int(rounds))]
        # Padded with zeros first: ONNX's own padding would drop a last window that begins in it, which C3D keeps.
        if any(at.pad):
            grown = tuple(n + 2 * p for n, p in zip(x.shape[2:], at.pad, strict=True))
            x = op("Pad", x, op.ints(0, 0, at.pad, 0, 0, at.pad), shape=(*x.shape[:2], *grown))
        if not rounds:
            return [op("AveragePool", x, kernel_shape=at.kernel, strides=at.stride)]
        # Averages of whole windows, zeros behind the image, over the share of each window that is not behind it: runtimes differ
        # on what an average with ceil_mode divides by.
        ones = op(
            "Expand", op.const(np.ones((1, 1, 1, 1, 1))), op.ints(1, 1, *(op.size(x, axis) for axis in (2, 3, 4)))
        )
        sums, shares = (
            op("AveragePool", op("Pad", t, op.ints([0] * 7, tail)), kernel_shape=at.kernel, strides=at.stride)
            for t in (x, ones)
        )
        return [op("Div", sums, op("Squeeze", shares, op.ints(0, 1)))]  # a second map of five axes confuses OpenCV 5

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        out = self.pools.out(x.shape[2:])
        if self.method == "MAX":
            return [emit_max(op, x, self.pools, out)[0]]
        return [emit_average(op, x, self.pools, out, layer=self)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [self.windows.reach]


class Pooling3DP3D(Pooling):
    """Pooling's formula with kernel_l, stride_l (1) and pad_l (0) for the axis before rows and columns.

    Source: pooling3d_layer.cpp of P3D (pseudo-3d-residual-networks), which refuses lengths much greater than the height with padding
    """

    types = ()
    message = "pooling3d_param"
    together = True
    each = True
