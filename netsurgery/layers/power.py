"""Power: a power of a scaled and shifted value."""

import numpy as np

from .caffe2.operators import like
from .core import Array, Arrays, Elementwise, Op, Params, Tensors
from .shared.emission import scaled, shifted

ROOTS = {0.5: "Sqrt", -1: "Reciprocal"}
"""Powers with a node of their own, which by measurement takes a tenth of Pow's time."""


class Power(Elementwise):
    """y = (shift + scale x) ^ power; where scale or power is 0, a constant whatever x is.

    Shapes: any.
    Source: power_layer.cpp
    """

    types = ("Power",)

    def read(self, p: Params) -> None:
        q = p.message("power_param")
        self.power, self.scale, self.shift = q.get_float("power"), q.get_float("scale"), q.get_float("shift")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        scale, shift, power = (x.dtype.type(v) for v in (self.scale, self.shift, self.power))
        if self.is_constant:
            return [np.full_like(x, shift**power)]
        y = x * scale + shift
        return [y if self.power == 1 else y**power]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.is_constant:
            return [op("Expand", op("Pow", op.const(self.shift), op.const(self.power)), op("Shape", x))]
        x = shifted(op, scaled(op, x, self.scale), self.shift)
        if self.power == 1:
            return [x]
        if self.power in ROOTS and not op.plain:
            return [op(ROOTS[self.power], x)]
        return [op("Pow", x, op.const(self.power))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.is_constant:
            with np.errstate(divide="ignore", over="ignore"):  # infinite, as in Caffe
                return [like(op, x, float(np.float32(self.shift) ** np.float32(self.power)))]
        x = shifted(op, scaled(op, x, self.scale), self.shift)
        return [x if self.power == 1 else op("Pow", x, exponent=self.power)]

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        if self.power != 1 or self.is_constant:
            return None
        return np.asarray(self.scale, np.float64), np.asarray(self.shift, np.float64)

    @property
    def line(self) -> tuple[float, float] | None:
        return (self.scale, self.shift) if self.power == 1 else None

    @property
    def is_constant(self) -> bool:
        return self.power * self.scale == 0
