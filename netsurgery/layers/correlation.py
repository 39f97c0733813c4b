"""Correlation: how well two feature maps agree at each displacement (FlowNet's cost volume)."""

from __future__ import annotations

import numpy as np

from .caffe2.operators import pad_image, part, pool
from .core import Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Tensor, Tensors
from .shared.convolve import views
from .shared.reduce import reduce
from .shared.windows import Windows


class Correlation(LayerType):
    """y[q, i, j] = the mean over channels and a kernel_size patch of a[s i + D + p, s j + D + r] * b[.. + dy, .. + dx], or of their
    absolute difference (`correlation_type: SUBTRACT`); a and b padded with zeros, s = stride_1, D = max_displacement.

    Displacements are multiples of stride_2 up to D, G of them each way: q = (dy, dx), dx fastest.

    Shapes: a, b (N, C, H, W) -> (N, G G, ceil((H + 2 pad - 2 (D + (kernel_size - 1) / 2)) / s), ...), G = 2 (D / stride_2) + 1.
    Source: correlation_layer.cu of flownet2
    """

    types = ("Correlation",)
    bottoms = (2, 2)

    def read(self, p: Params) -> None:
        q = p.message("correlation_param")
        self.pad, self.kernel, self.furthest = (
            q.get_int("pad"),
            q.get_int("kernel_size", 0),
            q.get_int("max_displacement", -1),
        )
        self.stride, self.step = q.get_int("stride_1"), q.get_int("stride_2")
        self.subtract = q.get_str("correlation_type") == "SUBTRACT"
        q.ignore("do_abs", why="no kernel reads it")
        q.ignore("single_direction", why="belongs to Correlation1D")
        if self.kernel % 2 == 0:
            raise q.refuse("kernel_size", f"kernel_size is {self.kernel}", expected="an odd number")
        for name, value, least in (
            ("max_displacement", self.furthest, 0),
            ("stride_1", self.stride, 1),
            ("stride_2", self.step, 1),
        ):
            if value < least:
                raise q.refuse(name, f"{name} is {value}", expected=f"at least {least}")

    @property
    def displacements(self) -> list[tuple[int, int]]:
        """(dy, dx) of each top channel."""
        steps = range(-(self.furthest // self.step), self.furthest // self.step + 1)
        return [(y * self.step, x * self.step) for y in steps for x in steps]

    def shapes(self, bottoms: Shapes) -> Shapes:
        a, b = bottoms
        for i, shape in enumerate(bottoms):
            self.rank(shape, 4, f"bottom {i}")
        for size, wanted, what in zip(b, a, ("items", "channels", "height", "width"), strict=True):
            self.require(size, wanted, f"{what} of bottom 1")
        span = [n + 2 * (self.pad - self.furthest) - self.kernel for n in a[2:]]
        if any(isinstance(n, int) and n < 0 for n in span):
            raise ShapeError(
                "displacements and kernel do not fit into the padded bottom",
                layer=self,
                expected=f"height and width of at least {self.kernel + 2 * (self.furthest - self.pad)}",
            )
        return [(a[0], len(self.displacements), *(n // self.stride + 1 for n in span))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        pad, d = self.pad, self.furthest
        a, b = (np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)]) for x in bottoms)
        h, w = a.shape[2] - 2 * d, a.shape[3] - 2 * d
        a = a[:, :, d : d + h, d : d + w]
        patch = Windows((self.kernel,) * 2, (self.stride,) * 2, (0, 0), (1, 1))
        y = []
        for dy, dx in self.displacements:
            moved = b[:, :, d + dy : d + dy + h, d + dx : d + dx + w]
            agreement = np.abs(a - moved).mean(axis=1) if self.subtract else (a * moved).mean(axis=1)
            y.append(views(agreement[:, None], patch).mean(axis=(4, 5))[:, 0])
        return [np.stack(y, axis=1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b = bottoms
        inner, outer = self.pad - self.furthest, self.pad
        if inner:  # where it is negative, Pad cuts off
            a = op("Pad", a, op.ints(0, 0, inner, inner, 0, 0, inner, inner))
        if outer:
            b = op("Pad", b, op.ints(0, 0, outer, outer, 0, 0, outer, outer))
        sizes = [op("Add", op.size(bottoms[0], axis), op.ints(2 * inner)) for axis in (2, 3)]
        extent = op.ints(*sizes)

        def build(inside: Op, offset: Tensor) -> Tensors:
            start = inside("Cast", offset, to=7)
            moved = inside("Slice", b, start, inside("Add", start, extent), inside.ints(2, 3))
            match = inside("Abs", inside("Sub", a, moved)) if self.subtract else inside("Mul", a, moved)
            return [reduce(inside, "ReduceMean", match, (1,))]

        offsets = np.array(self.displacements, np.float32) + self.furthest
        y = op("Scan", op.const(offsets), body=op.body(build, ["offset"]), num_scan_inputs=1, scan_output_axes=[1])
        if self.kernel == 1 and self.stride == 1:
            return [y]
        return [op("AveragePool", y, kernel_shape=(self.kernel,) * 2, strides=(self.stride,) * 2)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b = bottoms
        inner, outer, d = self.pad - self.furthest, self.pad, self.furthest
        if inner > 0:
            a = pad_image(op, a, *[inner] * 4)
        for axis in (2, 3) if inner < 0 else ():
            a = part(op, a, 4, axis, -inner, inner - 1)
        if outer:
            b = pad_image(op, b, *[outer] * 4)
        y = []
        for dy, dx in self.displacements:
            moved = part(op, part(op, b, 4, 2, d + dy, dy - d - 1), 4, 3, d + dx, dx - d - 1)
            match = op("Abs", op("Sub", a, moved)) if self.subtract else op("Mul", a, moved)
            y.append(op("ReduceMean", match, axes=(1,), keepdims=1))
        top = op("Concat", *y, axis=1) if len(y) > 1 else y[0]
        if self.kernel == 1 and self.stride == 1:
            return [top]
        return [pool(op, "AveragePool", top, (self.kernel,) * 2, (self.stride,) * 2, (0,) * 4)]

    def reach(self, bottoms: Shapes) -> Reaches:
        first, around = self.furthest - self.pad, self.furthest // self.step * self.step
        last = first + self.kernel - 1
        return [[Reach(self.stride, first, last)] * 2, [Reach(self.stride, first - around, last + around)] * 2]
