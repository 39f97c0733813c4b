"""Correlation: how well two feature maps agree at each displacement (FlowNet's cost volume)."""

import numpy as np

from .caffe2.operators import pad_image, part, pool
from .core import Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Tensor, Tensors
from .shared.convolve import views
from .shared.emission import reduce
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
        self.ranks(bottoms, 4)
        self.require_alike(b, a, "bottom 1", ("items", "channels", "height", "width"))
        span = [n + 2 * (self.pad - self.furthest) - self.kernel for n in a[2:]]
        if any(isinstance(n, int) and n < 0 for n in span):
            raise ShapeError(
                "displacements and kernel do not fit into the padded bottom",
                layer=self,
                expected=f"height and width of at least {self.kernel + 2 * (self.furthest - self.pad)}",
            )
        return [(a[0], (2 * (self.furthest // self.step) + 1) ** 2, *(n // self.stride + 1 for n in span))]

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
        h, w = (op("Add", op.size(bottoms[0], axis), op.ints(2 * inner)) for axis in (2, 3))
        y = self._differences(op, a, b, h, w) if self.subtract else self._products(op, a, b, h, w)
        if self.kernel == 1 and self.stride == 1:
            return [y]
        return [op("AveragePool", y, kernel_shape=(self.kernel,) * 2, strides=(self.stride,) * 2)]

    def _products(self, op: Op, a: Tensor, b: Tensor, h: Tensor, w: Tensor) -> Tensor:
        """(N, G G, h, w). Rows of a times rows of b as matrices, of whose products the diagonals are what is asked for: as many numbers
        are computed in vain as there are columns for each displacement, and still it is 19 times as fast as one map after the other
        (FlowNet-C, 1 thread)."""
        d, reach = self.furthest, self.furthest // self.step * self.step
        offsets = range(-reach, reach + 1, self.step)
        rows = op("Transpose", a, perm=(0, 2, 3, 1))
        columns = op("Transpose", b, perm=(0, 2, 1, 3))
        products = []
        for dy in offsets:
            moved = op("Slice", columns, op.ints(d + dy), op("Add", h, op.ints(d + dy)), op.ints(1))
            products.append(op("Unsqueeze", op("MatMul", rows, moved), op.ints(1)))
        y = op("Concat", *products, axis=1) if len(products) > 1 else products[0]
        # (N, G, h, w, w + 2 D): rows made longer by one put the diagonals below each other
        wide = op("Add", w, op.ints(2 * d))
        flat = op("Pad", op.reshape(y, 0, len(offsets), h, -1), op.ints([0] * 7, w))
        y = op.reshape(flat, 0, len(offsets), h, w, op("Add", wide, op.ints(1)))
        y = op("Slice", y, op.ints(d - reach), op.ints(d + reach + 1), op.ints(4), op.ints(self.step))
        y = op.reshape(op("Transpose", y, perm=(0, 1, 4, 2, 3)), 0, len(offsets) ** 2, h, w)
        return op("Div", y, op("Cast", op.size(a, 1), to=1))

    def _differences(self, op: Op, a: Tensor, b: Tensor, h: Tensor, w: Tensor) -> Tensor:
        """(N, G G, h, w), one map after the other."""
        maps = []
        for offset in self.displacements:
            start = op.ints([self.furthest + n for n in offset])
            moved = op("Slice", b, start, op("Add", start, op.ints(h, w)), op.ints(2, 3))
            maps.append(reduce(op, "ReduceMean", op("Abs", op("Sub", a, moved)), (1,), keep=True))
        return op("Concat", *maps, axis=1) if len(maps) > 1 else maps[0]

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
