"""Resample: FlowNet's resizing, nearest, linear or cubic, smoothed when shrinking."""

from fractions import Fraction
from typing import Any

import numpy as np

from .caffe2 import resample as _resample_caffe2
from .core import Array, Arrays, LayerType, Op, Params, Reach, Reaches, Shape, ShapeError, Shapes, Tensor, Tensors
from .shared.resample_onnx import emit_positions, emit_shares


class Resample(LayerType):
    """y[i, j] = sum over r, c of k(ay (v - r)) k(ax (u - c)) x[r, c], over the sum of the weights (0 if that is 0).

    fx = W / W', fy = H / H', u = j fx + fy / 2 - 0.5, v = i fy + fx / 2 - 0.5 (the halves are swapped in the original, too). LINEAR:
    k(d) = 1 - |d|, at least 0; CUBIC: Catmull-Rom's; ax = 1 / fx and ay = 1 / fy with `antialias` if fx or fy is more than 1, else 1.
    NEAREST: y[i, j] = x[round(v), round(u)].

    Shapes: (N, C, H, W) -> (N, C, height, width), or those of a second bottom; with `factor` alone (N, C, H factor, W factor).
    Source: resample_layer.cu (FlowNet 2), resample_layer.cpp (Synopsys)
    """

    types = ("Resample",)
    bottoms = (1, 2)

    def read(self, p: Params) -> None:
        q = p.message("resample_param")
        self.method = q.get_str("type")
        self.antialias = q.get_bool("antialias")
        self.size = q.get_int("height", 0), q.get_int("width", 0)
        self.factor = q.get_float("factor", 1.0)
        if not 1 <= self.factor < 2**31 or self.factor != int(self.factor):
            raise q.refuse("factor", f"factor is {self.factor:g}", expected="a positive whole number")
        self.by_factor = not any(self.size) and q.has("factor")
        if self.method not in ("NEAREST", "LINEAR", "CUBIC"):
            raise q.refuse("type", f"type is {self.method}", expected="NEAREST, LINEAR or CUBIC")
        if self.bottom_count == 1 and min(self.size) < 1 and not self.by_factor:
            raise q.refuse(
                "height", f"height and width are {self.size}", expected="positive numbers, or a second bottom"
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.ranks(bottoms, 4, ("bottom", "the second bottom"))
        x = bottoms[0]
        top = (*x[:2], *(bottoms[1][2:] if len(bottoms) == 2 else self._size(x)))
        factors = self._factors(x, top)
        if self.method == "NEAREST" and max(factors, default=0) >= 2 * min(factors, default=1):
            raise ShapeError(
                f"nearest from {x[2]}x{x[3]} to {top[2]}x{top[3]}",
                layer=self,
                expected="about the same factor for height and width: the layer reads outside of the bottom else",
            )
        return [top]

    def _size(self, x: Shape) -> Shape:
        """Height and width of the top, where no second bottom has them."""
        return tuple(n * int(self.factor) for n in x[2:]) if self.by_factor else self.size

    @staticmethod
    def _factors(x: Shape, top: Shape) -> tuple[Fraction, ...]:
        """H / H' and W / W', () where a size is not known."""
        pairs = [(n, m) for n, m in zip(x[2:], top[2:], strict=True) if isinstance(n, int) and isinstance(m, int)]
        return tuple(Fraction(n, m) for n, m in pairs) if len(pairs) == 2 else ()

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, old = bottoms[0], bottoms[0].shape[2:]
        sizes = bottoms[1].shape[2:] if len(bottoms) == 2 else self._size(x.shape)
        new = [int(n) for n in sizes if isinstance(n, int)]
        fy, fx = (np.float32(n) / np.float32(m) for n, m in zip(old, new, strict=True))
        v = np.arange(new[0], dtype=np.float32) * fy + fx / 2 - np.float32(0.5)
        u = np.arange(new[1], dtype=np.float32) * fx + fy / 2 - np.float32(0.5)
        if self.method == "NEAREST":
            rows, columns = (np.floor(at + np.float32(0.5)).astype(np.int64) for at in (v, u))
            return [x[:, :, rows][..., columns]]
        smooth = self.antialias and (fx > 1 or fy > 1)
        down, across = (
            self._shares(at, n, 1 / f if smooth else np.float32(1)).astype(x.dtype)
            for at, n, f in zip((v, u), old, (fy, fx), strict=True)
        )
        return [down @ x @ across.T]

    def _shares(self, at: Array, size: int, narrow: np.floating[Any]) -> Array:
        """(new, size): the share of each old position in each new one."""
        d = np.abs(narrow * (at[:, None] - np.arange(size, dtype=np.float32))).astype(np.float64)
        if self.method == "LINEAR":
            k = np.maximum(1 - d, 0)
        else:
            near, far = d * d * (1.5 * d - 2.5) + 1, d * (d * (2.5 - 0.5 * d) - 4) + 2
            k = np.where(d <= 1, near, np.where(d < 2, far, 0))
        total = k.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(k, total, out=np.zeros_like(k), where=total != 0))

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        old = [op.size(x, i) for i in (2, 3)]
        if self.by_factor and len(bottoms) == 1:
            new = [op("Mul", n, op.ints(int(self.factor))) for n in old]
        else:
            new = [op.size(bottoms[1], i) if len(bottoms) == 2 else op.ints(self.size[i - 2]) for i in (2, 3)]
        fy, fx = (op("Div", op("Cast", n, to=1), op("Cast", m, to=1)) for n, m in zip(old, new, strict=True))
        v, u = emit_positions(op, new[0], fy, fx), emit_positions(op, new[1], fx, fy)
        if self.method == "NEAREST":
            rows, columns = (op("Cast", op("Floor", op("Add", at, op.const(0.5))), to=7) for at in (v, u))
            return [op("Gather", op("Gather", x, rows, axis=2), columns, axis=3)]
        narrow: list[Tensor | None] = [None, None]
        if self.antialias:
            one = op.const([1.0])
            shrinks = op("Greater", op("Max", fy, fx), one)
            narrow = [op("Div", one, op("Where", shrinks, f, one)) for f in (fy, fx)]
        down = emit_shares(op, self.method, v, old[0], narrow[0], axis=1)
        across = emit_shares(op, self.method, u, old[1], narrow[1], axis=0)
        return [op("MatMul", op("MatMul", down, x), across)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        new = [op.number(n) for n in (bottoms[1].shape[2:] if len(bottoms) == 2 else self._size(x.shape))]
        return [_resample_caffe2.emit(op, x, new, self.method, self.antialias)]

    def reach(self, bottoms: Shapes) -> Reaches:
        rest = [None] * (len(bottoms) - 1)  # of a second bottom the size alone counts
        factors = self._factors(bottoms[0], self.shapes(bottoms)[0])
        taps = {"NEAREST": Fraction(1, 2), "LINEAR": Fraction(1), "CUBIC": Fraction(2)}[self.method]
        smooth = self.method != "NEAREST" and self.antialias and max(factors, default=0) > 1
        # position 0 lies at (the other factor - 1) / 2
        axes = [(f, (g - 1) / 2, taps * (f if smooth else 1)) for f, g in zip(factors, factors[::-1], strict=True)]
        return [[Reach(f, at - span, at + span) for f, at, span in axes], *rest]
