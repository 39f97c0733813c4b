"""Pooling: the greatest or the average value of each window."""

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import numpy as np

from .caffe2 import pooling as _pooling_caffe2
from .core import NOWHERE, Arrays, LayerType, Message, Op, Params, Reaches, ShapeError, Shapes, Tensors, show
from .shared import pooling_onnx as _pooling_onnx
from .shared.pool_windows import PoolWindows, check_global, read_pool_windows, read_rounding, whole_map, with_kernel
from .shared.pools import greatest, greatest_places, spans, sums
from .shared.spellings import least_axes
from .shared.windows import Windows, require_second


class Pooling(LayerType):
    """MAX: y[i] = max of x over window i, cut off at the image. AVE: y[i] = sum of x over window i / its size, cut off at the padded image.
    AVE_EXC_PAD (Intel's, and Caffe2's usual way): cut off at the image.

    A second top of MAX is the mask: the index (h * W + w) of the greatest value within its channel, the first one if several.
    Any number of spatial axes, as in the forks for video and volumes, in any of their spellings.

    Shapes: (N, C, H, W) -> (N, C, H', W'), H' = ceil((H + 2 pad - kernel) / stride) + 1 (`round_mode: FLOOR`, or `ceil_mode: false` in
        forks: floor), less one if the last window would start outside image and left padding: with two axes where any of them is
        padded (BVLC, MouseCTSegmentation), else where this one is (ECO, video-caffe, naibaf7).
    Source: pooling_layer.cpp of BVLC and of caffe_3d (ECO), pooling_nd_layer.cpp of MouseCTSegmentation, cudnn_ndpooling_layer.cpp of
        video-caffe
    """

    types: ClassVar[tuple[str, ...]] = ("Pooling", "NdPooling", "PoolingSK")
    gives_features = True
    message: ClassVar[str] = "pooling_param"
    together: ClassVar[bool] = False
    """Whether padding of any axis leaves out last windows of all, also where there are not two axes."""
    each: ClassVar[bool] = False
    """Whether fields of two axes, too, are read as those of any number are."""
    tops = (1, 2)
    choices = (1,)

    def read(self, p: Params) -> None:
        self.q = q = p.message(self.message)
        self._windows: dict[int, Windows] = {}
        word = q.get_str("pool")
        self.counts_pad, self.method = word != "AVE_EXC_PAD", word.removesuffix("_EXC_PAD")
        self.round_up = read_rounding(q)
        self.global_pooling = q.get_bool("global_pooling")
        if q.has("axis"):
            require_second(q)
        if self.method not in ("MAX", "AVE"):
            fix = "STOCHASTIC pooling draws at random: choose one of the two"
            raise q.refuse("pool", f"pool is {word}", expected="MAX or AVE", fix=fix)
        if self.global_pooling:
            check_global(q)
            return
        at = self._read(max(2, axes) if (axes := least_axes(q)) != 1 else 2)
        if min(*at.kernel, *at.stride, *at.dilation) < 1:
            raise q.refuse("kernel_size", f"kernel {at.kernel}, stride {at.stride}", expected="positive numbers")
        if any(p >= k for p, k in zip(at.pad, at.kernel, strict=True)):
            raise q.refuse("pad", f"pad {at.pad}, kernel {at.kernel}", expected="pad less than kernel")
        if self.method == "AVE" and max(at.dilation) > 1:
            raise q.refuse("dilation", f"an average with dilation {at.dilation}", expected="dilation 1")

    def _read(self, spatial: int) -> Windows:
        return read_pool_windows(self.q, spatial, each=spatial != 2 or self.each)

    def windows(self, rank: int) -> Windows:
        """Kernel, stride, padding and dilation for bottoms of `rank` axes; read once."""
        if rank not in self._windows:
            self._windows[rank] = self._read(rank - 2)
        return self._windows[rank]

    def pools(self, shape: Sequence[object]) -> PoolWindows:
        """The windows on a bottom of this shape."""
        at = self.windows(len(shape))
        together = self.together or len(shape) == 4
        return PoolWindows(at, self.round_up, tuple(any(at.pad) if together else p > 0 for p in at.pad))

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if len(x) < 3:
            self.rank(x, 4)
        if self.q.has("axis"):
            require_second(self.q, len(x))
        out = (1,) * (len(x) - 2) if self.global_pooling else self.pools(x).out(x[2:])
        for i, m in enumerate(out):
            if isinstance(m, int) and m < 1:
                at = self.windows(len(x))
                raise ShapeError(
                    f"the kernel spans {at.extent[i]}, the padded bottom {show(x[2 + i] + 2 * at.pad[i])}",
                    layer=self,
                    expected="a kernel that fits",
                )
        return [(*x[:2], *out)] * (1 + (self.method == "MAX"))

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        sizes = x.shape[2:]
        at = whole_map(sizes) if self.global_pooling else self.windows(x.ndim)
        out = [int(n) for n in self.shapes([x.shape])[0][2:] if isinstance(n, int)]
        if self.method == "AVE":
            ends = [spans(at, i, n, out[i], self.counts_pad) for i, n in enumerate(sizes)]
            return [sums(x, at, out) / reduce(np.multiply.outer, ends).astype(x.dtype)]
        if self.top_count < 2:
            return [greatest(x, at, out)]
        top, places = greatest_places(x, at, out)
        return [top, places.astype(x.dtype)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.global_pooling and self.method == "AVE":
            return [op("GlobalAveragePool", x)]
        if self.global_pooling:
            return _pooling_onnx.emit_global_max(op, x)
        pools = self.pools(x.shape)
        out = pools.out(x.shape[2:])
        if self.method == "AVE":
            return [_pooling_onnx.emit_average(op, x, pools, out, self, self.counts_pad)]
        return _pooling_onnx.emit_max(op, x, pools, out, self)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.global_pooling and self.top_count == 1:
            return [op("MaxPool" if self.method == "MAX" else "AveragePool", x, global_pooling=1)]
        if self.global_pooling:
            at = whole_map(tuple(op.number(n) for n in x.shape[2:]))
            pools = PoolWindows(at, True, (False,) * len(at.kernel))
            return _pooling_caffe2.emit(op, x, pools, at.stride, self, self.method)
        pools = self.pools(x.shape)
        return _pooling_caffe2.emit(op, x, pools, pools.out(x.shape[2:]), self, self.method, self.counts_pad)

    def reach(self, bottoms: Shapes) -> Reaches:
        rank = len(bottoms[0])
        if self.global_pooling:
            return [(NOWHERE,) * (rank - 2)]
        return [self.windows(rank).reach]

    def with_window(self, params: Message, sizes: Sequence[int]) -> Message:
        """Its parameters with a kernel of these sizes and stride 1 in place of what they say of its windows."""
        return with_kernel(params, self.message, sizes)
