"""Unpooling: values spread out over the windows that a Pooling would have taken them from."""

import numpy as np

from .caffe2.operators import along_axis
from .core import Arrays, LayerType, Op, Params, Reaches, Shapes, Tensor, Tensors, spread
from .shared.unpooling import Unpooling as ByMask


def _read_size(q: Params) -> tuple[int, int]:
    """unpool_size, or unpool_h and unpool_w: the size of the top, which is never derived."""
    if q.has("unpool_size") == (q.has("unpool_h") and q.has("unpool_w")):
        raise q.refuse("unpool_size", "the new size is not clear", expected="unpool_size, or unpool_h and unpool_w")
    if q.get_int("pad", 0) or q.get_int("pad_h", 0) or q.get_int("pad_w", 0):
        raise q.refuse("pad", "pad is set", expected="0")
    side = q.get_int("unpool_size", 0)
    return (side, side) if side else (q.get_int("unpool_h"), q.get_int("unpool_w"))


class Unpooling(LayerType):
    """TILE: y[o] = sum of x[i] over the windows i, of `kernel` at i * stride, that have o inside; AVE: each x[i] divided by the size of its
    window, cut off at the top's end. MAX: y[min(i * stride, last)] = x[i], of several the last one; with a mask of Pooling as second
    bottom: y[mask[i]] = x[i]. 0 where nothing is written.

    Shapes: (N, C, H, W) -> (N, C, unpool_h, unpool_w).
    Source: unpooling_layer.cpp of HyeonwooNoh/caffe (DeconvNet)
    """

    types = ("Unpooling",)
    note = "with a mask of windows that overlap as second bottom it needs opset 18"

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        return UnpoolingByMask if bottom_count == 2 else cls

    def read(self, p: Params) -> None:
        q = p.message("unpooling_param")
        self.size = _read_size(q)
        self.method = q.get_str("unpool", "MAX")
        if self.method not in ("MAX", "AVE", "TILE"):
            raise q.refuse("unpool", f"unpool is {self.method}", expected="MAX, AVE or TILE")
        kernel, stride = q.get_int("kernel_size", 0), q.get_int("stride", 1)
        self.kernel = (kernel, kernel) if kernel else (q.get_int("kernel_h", 0), q.get_int("kernel_w", 0))
        self.stride = (q.get_int("stride_h", stride), q.get_int("stride_w", stride))
        if min(*self.kernel, *self.stride) < 1:
            raise q.refuse("kernel_size", f"kernel {self.kernel}, stride {self.stride}", expected="positive numbers")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        return [(*x[:2], *self.size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        rows, columns = self.size
        y = np.zeros((*x.shape[:2], rows, columns), x.dtype)
        for i, j in np.ndindex(*x.shape[2:]):
            top, left = i * self.stride[0], j * self.stride[1]
            if self.method == "MAX":
                y[:, :, min(top, rows - 1), min(left, columns - 1)] = x[:, :, i, j]
                continue
            window = y[:, :, top : top + self.kernel[0], left : left + self.kernel[1]]
            area = window.shape[2] * window.shape[3] if self.method == "AVE" else 1
            window += (x[:, :, i, j] / x.dtype.type(max(area, 1)))[:, :, None, None]
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        matrices = []
        for axis, (side, k, s) in enumerate(zip(self.size, self.kernel, self.stride, strict=True)):
            size = op("Squeeze", op.size(x, 2 + axis))
            first = op("Mul", op("Range", op.const(0, "int64"), size, op.const(1, "int64")), op.ints(s))
            places = op.const(np.arange(side), "int64")
            first, places = (op.reshape(t, *shape) for t, shape in ((first, (1, -1)), (places, (-1, 1))))
            matrices.append(self._shares(op, first, places, side, k, s))
        across = op("Transpose", matrices[1], perm=[1, 0])
        return [op("MatMul", op("MatMul", matrices[0], x), across)]

    def _shares(self, op: Op, first: Tensor, places: Tensor, side: int, k: int, s: int) -> Tensor:
        """(new, old): 1 where a window writes to a place; for AVE 1 / its length along the axis."""
        if self.method == "MAX":  # before the end a value has its own place; the last of those beyond gets the end
            last = op("Sub", op("ReduceMax", first, keepdims=1), op.ints(s - 1))
            ends = op("And", op("GreaterOrEqual", first, op.ints(side - 1)), op("GreaterOrEqual", first, last))
            own = op("And", op("Equal", first, places), op("Less", first, op.ints(side - 1)))
            hits = op("Or", own, op("And", ends, op("Equal", places, op.ints(side - 1))))
            return op("Cast", hits, to=1)
        inside = op("And", op("GreaterOrEqual", places, first), op("Less", places, op("Add", first, op.ints(k))))
        hits = op("Cast", inside, to=1)
        if self.method == "TILE":
            return hits
        length = op("Sub", op("Min", op("Add", first, op.ints(k)), op.ints(side)), first)
        return op("Div", hits, op("Cast", op("Max", length, op.ints(1)), to=1))

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        for axis, (side, k, s) in enumerate(zip(self.size, self.kernel, self.stride, strict=True)):
            shares = np.zeros((side, op.number(x.shape[2 + axis])), np.float32)
            for i in range(shares.shape[1]):
                if self.method == "MAX":
                    shares[min(i * s, side - 1)] = 0
                    shares[min(i * s, side - 1), i] = 1
                else:
                    shares[i * s : i * s + k, i] = 1 / max(min(k, side - i * s), 1) if self.method == "AVE" else 1
            x = along_axis(op, x, shares, 2 + axis, (*x.shape[: 2 + axis], side, *x.shape[3 + axis :]))
        return [x]

    def reach(self, bottoms: Shapes) -> Reaches:
        kernel = (1, 1) if self.method == "MAX" else self.kernel
        return [[spread(k, s, 0) for k, s in zip(kernel, self.stride, strict=True)]]


class UnpoolingByMask(ByMask):
    """MAX with the mask of a Pooling: y[mask[i]] = x[i] within each channel, of several for one place the last one, 0 elsewhere."""

    def read(self, p: Params) -> None:
        q = p.message("unpooling_param")
        self.size, self.scale, self.cut = _read_size(q), (1, 1), (0, 0)
        if (method := q.get_str("unpool", "MAX")) != "MAX":
            raise q.refuse("unpool", f"unpool is {method} with a mask as second bottom", expected="MAX")
        q.ignore(
            *("kernel_size", "kernel_h", "kernel_w", "stride", "stride_h", "stride_w"),
            why="the mask says where each value goes",
        )
