"""The Python layers CombineRegressions and CombineRegressionsHuman of DenseReg."""

import numpy as np

from .core import Array, Arrays, Op, Rng, Sample, Shapes, Sizes, Tensor, Tensors, product
from .shared.python_layers import NoSettings


class CombineRegressions(NoSettings):
    """For each pixel of class q: (q + r - 1) / (K - 1), r being channel q of the K of its regression, 0 for class 0 and where
    there is no such class; what is negative becomes -1. Once across (bottoms 0 and 2), once down (bottoms 1 and 3).

    Shapes: two of classes (1, 1, H, W), two of regressions (1, K, H, W) -> two (1, 1, H, W).
    Source: ralpguler/DenseReg, CombineRegressions.py
    """

    types = ("Python:CombineRegressions.CombineRegressionsLayer",)
    bottoms = (4, 4)
    tops = (2, 2)
    note = "of DenseReg"

    def shapes(self, bottoms: Shapes) -> Shapes:
        for i, bottom in enumerate(bottoms):
            self.rank(bottom, 4, f"bottom {i}")
            self.require(bottom[0], 1, f"batch of bottom {i}", fix="one image at a time: the layer mixes up others")
            for axis, what in ((2, "height"), (3, "width")):
                self.require(bottom[axis], bottoms[0][axis], f"{what} of bottom {i}")
        for i, bottom in enumerate(bottoms[:2]):
            self.require(product(bottom[:2]), 1, f"channels of bottom {i}")
        self.require(bottoms[3][1], bottoms[2][1], "channels of bottom 3")
        return [bottoms[0]] * 2

    def combined(self, value: Array, kind: Array, channels: int) -> Array:
        """What comes out of the regressed `value` of pixels of a class."""
        y = (kind + value - 1) / (channels - 1)
        return np.where(y < 0, y.dtype.type(-1), y)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        tops = []
        for kind, x in zip(bottoms[:2], bottoms[2:], strict=True):
            k = x.shape[1]
            valid = (kind == np.round(kind)) & (kind > 0) & (kind < k)
            value = np.take_along_axis(x, np.where(valid, kind, 0).astype(np.int64), axis=1)
            tops.append(self.combined(np.where(valid, value, 0).astype(x.dtype), kind, k))
        return tops

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        tops = []
        for kind, x in zip(bottoms[:2], bottoms[2:], strict=True):
            k = op("Cast", op.size(x, 1), to=1)
            valid = op("And", op("Greater", kind, op.const(0)), op("Less", kind, k))
            valid = op("And", valid, op("Equal", kind, op("Floor", kind)))
            index = op("Cast", op("Where", valid, kind, op.const(0)), to=7)
            value = op("Where", valid, op("GatherElements", x, index, axis=1), op.const(0))
            tops.append(self.emit_combined(op, value, kind, k))
        return tops

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, shapes[2][1], shapes[index]) if index < 2 else rng.uniform(0, 1, shapes[index])

    def emit_combined(self, op: Op, value: Tensor, kind: Tensor, channels: Tensor) -> Tensor:
        y = op("Div", op("Sub", op("Add", kind, value), op.const(1)), op("Sub", channels, op.const(1)))
        return op("Where", op("Less", y, op.const(0)), op.const(-1), y)


class CombineRegressionsHuman(CombineRegressions):
    """For each pixel of class q: channel q of its regression cut to 0 .. 1, 0 for class 0.

    Shapes: as CombineRegressions.
    Source: ralpguler/DenseReg, CombineRegressionsHuman.py
    """

    types = ("Python:CombineRegressionsHuman.CombineRegressionsLayer",)

    def combined(self, value: Array, kind: Array, channels: int) -> Array:
        return value.clip(0, 1)

    def emit_combined(self, op: Op, value: Tensor, kind: Tensor, channels: Tensor) -> Tensor:
        return op("Clip", value, op.const(0), op.const(1))
