"""DeformableConvolution: a convolution whose taps lie where another bottom says."""

import numpy as np

from .core import Array, Arrays, LayerType, Op, Params, Shapes, Size, Tensor, Tensors, product
from .shared.emission import between, emit_range
from .shared.windows import Windows, read_windows, require_room


class DeformableConvolution(LayerType):
    """y[m, i, j] = b[m] + sum over c, k of W[m, c, k] * x[c] at row stride i + dilation k_h - pad + o[2 k, i, j] and the column with
    o[2 k + 1, i, j], o being the offsets of the channel's group of C / deformable_group. A place is between the four pixels around
    it, the last row's and column's beyond them, and 0 where it is not in 0 <= place < size.

    Shapes: x (N, C, H, W), offsets (N, deformable_group 2 kernel_h kernel_w, H, W) -> (N, num_output, H, W);
        W (num_output, C / group, kernel_h, kernel_w), b (num_output).
    Source: unsky/Deformable-ConvNets-caffe, deformable_conv_layer.cpp, deformable_im2col.cu
    """

    types = ("DeformableConvolution",)
    bottoms = (2, 2)
    note = "by formula (unsky); the fork takes offsets of the bottom's size, so the top must have it as well"

    def read(self, p: Params) -> None:
        q = p.message("deformable_convolution_param")
        self.num_output, self.bias_term = q.get_int("num_output", 0), q.get_bool("bias_term")
        self.group, self.deformable = q.get_int("group"), q.get_int("deformable_group")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        self.windows: Windows = read_windows(q, 2)
        if min(self.num_output, self.group, self.deformable) < 1 or self.num_output % self.group:
            problem = f"num_output is {self.num_output}, group {self.group}, deformable_group {self.deformable}"
            raise q.refuse("num_output", problem, expected="positive numbers, num_output a multiple of group")
        if q.get_int("axis") != 1:
            raise q.refuse("axis", f"axis is {q.get_int('axis')}", expected="1: the channels")

    @property
    def taps(self) -> int:
        return int(np.prod(self.windows.kernel))

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        w = (self.num_output, bottoms[0][1] // self.group, *self.windows.kernel)
        return [w, (self.num_output,)][: 1 + self.bias_term]

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, offsets = bottoms
        self.ranks(bottoms, 4, ("bottom 0", "the offsets"))
        require_room(self, self.windows, x[2:])
        top = (x[0], self.num_output, *self.windows.out(x[2:]))
        self.require(offsets[0], x[0], "batch of the offsets")
        self.require(offsets[1], self.deformable * 2 * self.taps, "channels of the offsets")
        for axis, what in ((2, "height"), (3, "width")):
            self.require(offsets[axis], x[axis], f"{what} of the offsets")
            self.require(top[axis], x[axis], f"{what} of the top, as the fork reads the offsets by it")
        for by, what in ((self.group, "group"), (self.deformable, "deformable_group")):
            self.require(x[1] - x[1] // by * by, 0, f"channels modulo {what} {by}")
        return [top]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(tops[0]) * (bottoms[0][1] // self.group) * self.taps

    def _bases(self, size: tuple[int, int]) -> tuple[Array, Array]:
        """Rows (taps, H, 1) and columns (taps, 1, W) before the offsets."""
        k = np.stack(np.meshgrid(*map(np.arange, self.windows.kernel), indexing="ij")).reshape(2, -1)
        rows, columns = (
            np.arange(n, dtype=np.float32) * s - p + (d * t)[:, None]
            for n, s, p, d, t in zip(size, self.windows.stride, self.windows.pad, self.windows.dilation, k, strict=True)
        )
        return rows[:, :, None].astype(np.float32), columns[:, None].astype(np.float32)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, w = bottoms[0], weights[0]
        n, c, h, wide = x.shape
        o = bottoms[1].reshape(n, self.deformable, self.taps, 2, h, wide)
        rows, columns = self._bases((h, wide))
        row, column = o[:, :, :, 0] + rows, o[:, :, :, 1] + columns  # (N, D, taps, H, W)
        inside = (row >= 0) & (column >= 0) & (row < h) & (column < wide)
        planes = x.reshape(n, self.deformable, c // self.deformable, h, wide).transpose(0, 1, 3, 4, 2)
        low = [np.floor(np.where(inside, t, 0)).astype(np.int64) for t in (row, column)]
        high = [np.minimum(t + 1, size - 1) for t, size in zip(low, (h, wide), strict=True)]
        b, a = (
            np.where(inside & (u > t), s - t, 0)[..., None] for s, t, u in zip((row, column), low, high, strict=True)
        )
        item, part = (
            np.arange(m).reshape(shape) for m, shape in ((n, (-1, 1, 1, 1, 1)), (self.deformable, (-1, 1, 1, 1)))
        )

        def pixels(r: np.ndarray, k: np.ndarray) -> Array:
            value: Array = planes[item, part, r, k]
            return value

        upper = (1 - a) * pixels(low[0], low[1]) + a * pixels(low[0], high[1])
        lower = (1 - a) * pixels(high[0], low[1]) + a * pixels(high[0], high[1])
        cols = ((1 - b) * upper + b * lower) * inside[..., None]  # (N, D, taps, H, W, C / D)
        cols = cols.transpose(0, 1, 5, 2, 3, 4).reshape(n, self.group, -1, h * wide).astype(x.dtype)
        y = (w.reshape(self.group, self.num_output // self.group, -1) @ cols).reshape(n, self.num_output, h, wide)
        return [y + weights[1].reshape(-1, 1, 1) if self.bias_term else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, w = bottoms[0], op.weight(weights[0], "weight")
        d, taps, h, wide = self.deformable, self.taps, op.size(x, 2), op.size(x, 3)
        o = op.reshape(bottoms[1], -1, d, taps, 2, h, wide)
        k = np.stack(np.meshgrid(*map(np.arange, self.windows.kernel), indexing="ij")).reshape(2, -1)
        low, share, inside = [], [], []
        for i, (size, ends) in enumerate(((h, (1, -1, 1)), (wide, (1, 1, -1)))):
            stride, pad, dilation = (t[i] for t in (self.windows.stride, self.windows.pad, self.windows.dilation))
            place = emit_range(op, size)
            place = op.reshape(op("Mul", op("Cast", place, to=1), op.const(stride)), *ends)
            base = op("Add", place, (k[i] * dilation - pad).astype(np.float32).reshape(-1, 1, 1))
            at = op("Add", op("Gather", o, op.const(i, "int64"), axis=3), base)  # (N, D, taps, H, W)
            edge = op("Cast", size, to=1)
            inside += [op("GreaterOrEqual", at, op.const(0)), op("Less", at, edge)]
            at = op("Max", op("Min", at, op("Sub", edge, op.const(1))), op.const(0))
            whole = op("Floor", at)
            low.append(whole)
            share.append(op.reshape(op("Sub", at, whole), op("Mul", op.size(x, 0), op.ints(d)), -1, 1))
        fits = op("And", op("And", *inside[:2]), op("And", *inside[2:]))
        pixels = op.reshape(x, op("Mul", op.size(x, 0), op.ints(d)), op("Div", op.size(x, 1), op.ints(d)), -1)
        pixels = op("Transpose", pixels, perm=(0, 2, 1))  # (N D, H W, C / D)

        def value(down: int, right: int) -> Tensor:
            row, column = (
                op("Min", op("Add", op("Cast", t, to=7), op.ints(step)), op("Sub", size, op.ints(1)))
                for t, step, size in ((low[0], down, h), (low[1], right, wide))
            )
            index = op("Add", op("Mul", row, wide), column)
            index = op.reshape(index, op("Mul", op.size(x, 0), op.ints(d)), -1, 1)
            return op("GatherND", pixels, index, batch_dims=1)  # (N D, taps H W, C / D)

        upper, lower = (between(op, value(r, 0), value(r, 1), share[1]) for r in (0, 1))
        cols = between(op, upper, lower, share[0])
        mask = op.reshape(op("Cast", fits, to=1), op("Mul", op.size(x, 0), op.ints(d)), -1, 1)
        cols = op("Transpose", op("Mul", cols, mask), perm=(0, 2, 1))  # (N D, C / D, taps H W)
        # as channels of a map of 1 x 1 kernels: channel by channel, tap by tap
        cols = op.reshape(cols, -1, op("Mul", op.size(x, 1), op.ints(taps)), h, wide)
        bias = op.weight(weights[1], "bias") if self.bias_term else None
        flat = op("Reshape", w, op.ints(self.num_output, -1, 1, 1))
        return [op("Conv", cols, flat, bias, group=self.group)]
