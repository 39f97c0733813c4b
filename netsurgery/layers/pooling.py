"""Pooling: the greatest or the average value of each window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ShapeError, UnsupportedError
from .caffe2 import pooling as _pooling_caffe2
from .caffe2.operators import Operators
from .core.dims import Shape, Size, ceil_div, minimum, show
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params
from .core.reach import NOWHERE, Reach, window
from .shared import pooling_onnx as _pooling_onnx
from .shared.pools import greatest, greatest_places, sums
from .shared.windows import Windows


class Pooling(LayerType):
    """MAX: y[i] = max of x over window i, cut off at the image. AVE: y[i] = sum of x over window i / its size, cut off at the padded image.

    A second top of MAX is the mask: the index h * W + w of the greatest value within its channel, the first one if several.

    Shapes: (N, C, H, W) -> (N, C, H', W'), H' = ceil((H + 2 pad - kernel) / stride) + 1 (`round_mode: FLOOR`, or `ceil_mode: false` in
        forks: floor), less one if the last window would start outside image and left padding.
    Source: pooling_layer.cpp
    """

    types = ("Pooling",)
    tops = (1, 2)
    choices = (1,)

    def read(self, p: Params) -> None:
        q = p.message("pooling_param")
        self.method = q.get_str("pool")
        self.round_up = q.get_str("round_mode") == "CEIL"
        if q.has("ceil_mode"):  # NVIDIA's and other forks' way to say it
            self.round_up = q.get_bool("ceil_mode")
        self.global_pooling = q.get_bool("global_pooling")
        sides, size = (q.get_int("kernel_h", 0), q.get_int("kernel_w", 0)), q.get_int("kernel_size", 0)
        kernel, stride, pad = (size, size) if size else sides, self._sides(q, "stride", 1), self._sides(q, "pad", 0)
        self.windows = Windows(kernel, stride, pad, (1, 1))
        if self.method not in ("MAX", "AVE"):
            raise q.refuse(
                "pool",
                f"pool is {self.method}",
                expected="MAX or AVE",
                fix="STOCHASTIC pooling draws at random: choose one of the two",
            )
        if self.global_pooling:
            if size or any(sides):
                raise q.refuse("kernel_size", "global_pooling with a kernel size", expected="one of the two")
            if pad != (0, 0) or stride != (1, 1):
                raise q.refuse("pad", "global_pooling with pad or stride", expected="pad 0 and stride 1")
        elif min(*kernel, *stride) < 1:
            raise q.refuse("kernel_size", f"kernel {kernel}, stride {stride}", expected="positive numbers")
        elif any(p >= k for p, k in zip(pad, kernel, strict=True)):
            raise q.refuse("pad", f"pad {pad}, kernel {kernel}", expected="pad less than kernel")

    @staticmethod
    def _sides(q: Params, name: str, default: int) -> tuple[int, int]:
        """`name` for both axes, or name_h and name_w where those are set."""
        if q.has(f"{name}_h") or q.has(f"{name}_w"):
            return q.get_int(f"{name}_h", default), q.get_int(f"{name}_w", default)
        return (q.get_int(name, default),) * 2

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        (x,) = bottoms
        self.rank(x, 4)
        if self.global_pooling:
            top: Shape = (x[0], x[1], 1, 1)
        else:
            top = (x[0], x[1], *(self._out(n, i) for i, n in enumerate(x[2:])))
        return [top, top][: 1 + (self.method == "MAX")]

    def _out(self, n: Size, axis: int) -> Size:
        k, s, p = self.windows.kernel[axis], self.windows.stride[axis], self.windows.pad[axis]
        span = n + 2 * p - k
        out = (ceil_div(span, s) if self.round_up else span // s) + 1
        # a last window that starts at n + p or later is dropped, where there is padding
        out = minimum(out, ceil_div(n + p, s)) if any(self.windows.pad) else out
        if isinstance(out, int) and out < 1:
            raise ShapeError(
                f"the kernel spans {k}, the padded bottom {show(n + 2 * p)}",
                layer=self.title,
                source=self.source,
                expected="a kernel that fits",
            )
        return out

    def reach(self, bottoms: Sequence[Shape]) -> Sequence[Sequence[Reach] | None]:
        if self.global_pooling:
            return [(NOWHERE, NOWHERE)]
        at = self.windows
        return [[window(*axis) for axis in zip(at.kernel, at.stride, at.pad, strict=True)]]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        h, w = x.shape[2:]
        at = Windows((h, w), (1, 1), (0, 0), (1, 1)) if self.global_pooling else self.windows
        out = [int(n) for n in self.shapes([x.shape])[0][2:] if isinstance(n, int)]
        if self.method == "AVE":
            ends = [
                np.minimum(np.arange(o) * s - p + k, n + p) - (np.arange(o) * s - p)
                for o, s, p, k, n in zip(out, at.stride, at.pad, at.kernel, (h, w), strict=True)
            ]
            return [sums(x, at, out) / np.outer(*ends).astype(x.dtype)]
        if self.top_count < 2:
            return [greatest(x, at, out)]
        top, places = greatest_places(x, at, out)
        return [top, places.astype(x.dtype)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        if self.global_pooling and self.method == "AVE":
            return [op("GlobalAveragePool", x)]
        if self.global_pooling:
            index = op("ArgMax", op.reshape(x, 0, 0, -1, 1), axis=2, keepdims=1)
            return [op("GlobalMaxPool", x), op("Cast", index, to=1)]
        at, out = self.windows, self.shapes([x.shape])[0][2:]
        if self.method == "AVE":
            return [_pooling_onnx.emit_average(op, x, at, out, round_up=self.round_up)]
        if self.top_count < 2:
            return [_pooling_onnx.emit_max(op, x, at, out, round_up=self.round_up)]
        if _pooling_onnx.may_start_behind(x.shape[2:], at, round_up=self.round_up):
            raise UnsupportedError(
                f"a mask with stride {at.stride} greater than kernel {at.kernel}: a window may start behind the image",
                layer=self.title,
                source=self.source,
                expected="windows that start inside the image",
                fix="fix the input sizes (--static) where all do",
            )
        return _pooling_onnx.emit_max_and_mask(op, x, at, out, round_up=self.round_up)

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        out, at = self.shapes([x.shape])[0][2:], self.windows
        if self.global_pooling and self.top_count == 1:
            return [op("MaxPool" if self.method == "MAX" else "AveragePool", x, global_pooling=1)]
        if self.global_pooling:
            h, w = (op.number(n) for n in x.shape[2:])
            at = Windows((h, w), (1, 1), (0, 0), (1, 1))
        rounding = {"round_up": self.round_up, "drops": any(at.pad)}
        if self.method == "MAX":
            y, behind = _pooling_caffe2.emit_max(op, x, at, out, **rounding)
            return [y, _pooling_caffe2.emit_mask(op, x, at, behind, out)] if self.top_count > 1 else [y]
        return [_pooling_caffe2.emit_average(op, x, at, out, layer=self, **rounding)]
