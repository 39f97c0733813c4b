"""Pooling: the greatest or the average value of each window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError, UnsupportedError
from ._caffe2 import Operators, refuse
from ._dims import Shape, Size, ceil_div, minimum, show
from ._params import Params
from ._pooling_caffe2 import emit_average, emit_mask, emit_max
from ._pools import LOWEST, greatest, greatest_places, sums
from ._reach import NOWHERE, Reach, window
from ._type import Array, Graph, LayerType, Tensor
from ._windows import Windows


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
        sides = [q.get_int("kernel_h", 0), q.get_int("kernel_w", 0)]
        size = q.get_int("kernel_size", 0)
        self.windows = Windows(
            (size, size) if size else (sides[0], sides[1]),
            self._sides(q, "stride", 1),
            self._sides(q, "pad", 0),
            (1, 1),
        )
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
            if self.windows.pad != (0, 0) or self.windows.stride != (1, 1):
                raise q.refuse("pad", "global_pooling with pad or stride", expected="pad 0 and stride 1")
        else:
            if min(self.windows.kernel) < 1 or min(self.windows.stride) < 1:
                raise q.refuse(
                    "kernel_size",
                    f"kernel {self.windows.kernel}, stride {self.windows.stride}",
                    expected="positive numbers",
                )
            if any(b >= k for b, k in zip(self.windows.pad, self.windows.kernel, strict=True)):
                raise q.refuse(
                    "pad", f"pad {self.windows.pad}, kernel {self.windows.kernel}", expected="pad less than kernel"
                )

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
        if self._may_miss(x.shape):
            return [self._with_windows_behind(op, x)]
        at = self.windows
        ends = [self._pad_behind(n, axis) for axis, n in enumerate(x.shape[2:])]
        may_round = self.round_up and any(
            s > 1 and not (isinstance(n, int) and (n + p + end - k) % s == 0)
            for n, k, s, p, end in zip(x.shape[2:], at.kernel, at.stride, at.pad, ends, strict=True)
        )
        attributes: dict[str, Any] = {
            "kernel_shape": at.kernel,
            "strides": at.stride,
            "pads": (*at.pad, *ends),
            "ceil_mode": int(may_round),
        }
        if self.method == "AVE":
            if may_round and op.opset < 19:
                return [self._average_without_ceil_mode(op, x)]
            return [op("AveragePool", x, count_include_pad=1, **attributes)]
        if self.top_count < 2:  # an output for the mask, even if nobody reads it, keeps runtimes from their fast ways
            return [op("MaxPool", x, **attributes)]
        y, index = op.many(2, "MaxPool", x, **attributes)
        # Caffe counts within one channel, ONNX over the whole tensor
        plane = op("Mul", op.size(x, 2), op.size(x, 3))
        return [y, op("Cast", op("Mod", index, plane), to=1)]

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
            y, behind = emit_max(op, x, at, out, **rounding)
            return [y, emit_mask(op, x, at, behind, out)] if self.top_count > 1 else [y]
        average = emit_average(op, x, at, out, **rounding)
        if average is None:
            raise refuse(
                self, "a window lies behind the image: Caffe divides by 0", expected="a stride up to the kernel"
            )
        return [average]

    def _pad_behind(self, n: Size, axis: int) -> int:
        """The padding behind the image; where a last window is dropped, only as much as the others see: before opset 22 runtimes drop it
        as well, but expect its size, and refuse the layer that follows."""
        k, s, p = self.windows.kernel[axis], self.windows.stride[axis], self.windows.pad[axis]
        if not isinstance(n, int) or not self.round_up:
            return p
        out, all_in = self._out(n, axis), ceil_div(n + 2 * p - k, s) + 1
        return max(0, (out - 1) * s + k - n - p) if isinstance(out, int) and out != all_in else p

    def _may_miss(self, x: Shape) -> bool:
        """Whether a window may start behind the image: without padding Caffe keeps it, where ONNX drops it."""
        at = self.windows
        return (
            self.round_up
            and not any(at.pad)
            and any(
                s > k and not (isinstance(n, int) and -(-(n - k) // s) * s < n)
                for n, k, s in zip(x[2:], at.kernel, at.stride, strict=True)
            )
        )

    def _with_windows_behind(self, op: Graph, x: Tensor) -> Tensor:
        """Windows behind the image hold the lowest number there is, or 0 / (end - start), the end being that of the image."""
        at = self.windows
        if self.top_count > 1:
            raise UnsupportedError(
                f"a mask with stride {at.stride} greater than kernel {at.kernel}: a window may start behind the image",
                layer=self.title,
                source=self.source,
                expected="windows that start inside the image",
                fix="fix the input sizes (--static) where all do",
            )
        tails, spans = [], []
        for axis, k, s in zip((2, 3), at.kernel, at.stride, strict=True):
            n = op.size(x, axis)
            last = op("Mul", self._up(op, op("Sub", n, op.ints(k)), s), op.ints(s))
            tails.append(op("Sub", op("Add", last, op.ints(k)), n))
            end = op("Squeeze", op("Add", last, op.ints(1)))
            starts = op("Range", op.const(0, "int64"), end, op.const(s, "int64"))
            spans.append(op("Cast", op("Sub", op("Min", op("Add", starts, op.ints(k)), n), starts), to=1))
        behind = op.ints([0] * 6, *tails)
        if self.method == "MAX":
            return op("MaxPool", op("Pad", x, behind, op.const(LOWEST)), kernel_shape=at.kernel, strides=at.stride)
        averages = op("AveragePool", op("Pad", x, behind, op.const(0.0)), kernel_shape=at.kernel, strides=at.stride)
        counts = op("Mul", op("Unsqueeze", spans[0], op.ints(1)), spans[1])
        return op("Div", op("Mul", averages, op.const(float(at.kernel[0] * at.kernel[1]))), counts)

    def _average_without_ceil_mode(self, op: Graph, x: Tensor) -> Tensor:
        """Average of the image padded to whole windows / average of ones on the padded image and zeros behind it: before opset 19 runtimes
        differ on what `ceil_mode` divides by."""
        at = self.windows
        tails = []
        for axis, k, s, p in zip((2, 3), at.kernel, at.stride, at.pad, strict=True):
            n = op.size(x, axis)
            windows = op("Add", self._up(op, op("Add", n, op.ints(2 * p - k)), s), op.ints(1))
            if any(at.pad):
                windows = op("Min", windows, self._up(op, op("Add", n, op.ints(p)), s))
            tails.append(op("Sub", op("Add", op("Mul", op("Sub", windows, op.ints(1)), op.ints(s)), op.ints(k)), n))
        (top, left), zero = at.pad, op.const(0.0)
        over = [op.ints(2 * p) for p in at.pad]
        behind = [op("Sub", t, o) for t, o in zip(tails, over, strict=True)]
        if any(at.pad):  # the windows may end inside the padding behind
            over = [op("Min", t, o) for t, o in zip(tails, over, strict=True)]
            behind = [op("Max", b, op.ints(0)) for b in behind]
        image = op(
            "Pad",
            x,
            op.ints(0, 0, top, left, 0, 0, *(op("Sub", t, op.ints(p)) for t, p in zip(tails, at.pad, strict=True))),
            zero,
        )
        sizes = [op("Add", op.size(x, axis), o) for axis, o in zip((2, 3), over, strict=True)]
        ones = op("Expand", op.const(1.0), op.ints(1, 1, *sizes))
        ones = op("Pad", ones, op.ints([0] * 6, *behind), zero)
        sums, counts = (op("AveragePool", t, kernel_shape=at.kernel, strides=at.stride) for t in (image, ones))
        return op("Div", sums, counts)

    @staticmethod
    def _up(op: Graph, a: Tensor, by: int) -> Tensor:
        """ceil(a / by) for a > -by."""
        return op("Div", op("Add", a, op.ints(by - 1)), op.ints(by))
