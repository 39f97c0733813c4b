"""Eltwise: bottoms of one shape, added, multiplied, or the greatest of each place."""

import numpy as np

from .core import Array, Arrays, LayerType, Op, Params, ShapeError, Shapes, Tensor, Tensors, show
from .shared.emission import scaled


class Eltwise(LayerType):
    """SUM: y = coeff1 x1 + coeff2 x2 + ...; PROD: y = x1 x2 ...; MAX: y = max(x1, x2, ...).

    In forks also MIN, DIV: y = x1 / x2, SUB: y = x1 - x2 - ..., and a single bottom (which SUM multiplies by its coefficient, and the
    others pass on).

    Shapes: all alike.
    Source: eltwise_layer.cpp, of BVLC, FlowNet 2, Synopsys
    """

    types = ("Eltwise",)
    gives_features = True
    bottoms = (1, None)
    scope = "number"

    def read(self, p: Params) -> None:
        q = p.message("eltwise_param")
        self.operation = q.get_str("operation")
        coeff = q.get_floats("coeff")
        if self.operation not in ("SUM", "PROD", "MAX", "MIN", "DIV", "SUB"):
            raise q.refuse("operation", f"operation is {self.operation}", expected="SUM, PROD, MAX, MIN, DIV or SUB")
        if self.operation == "DIV" and self.bottom_count != 2:
            raise q.refuse("operation", f"DIV of {self.bottom_count} bottoms", expected="2 bottoms")
        if coeff and len(coeff) != self.bottom_count:
            raise q.refuse(
                "coeff", f"{len(coeff)} coefficients for {self.bottom_count} bottoms", expected="one for each bottom"
            )
        if coeff and self.operation not in ("SUM", "MAX"):
            raise q.refuse("coeff", f"coefficients with {self.operation}", expected="coeff with SUM only")
        self.coeff = coeff or (1.0,) * self.bottom_count
        if self.operation == "SUB":
            self.operation, self.coeff = "SUM", (1.0, *(-1.0,) * (self.bottom_count - 1))
        self.in_place = self.operation == "PROD"  # SUM and MAX clear the top before they read the bottoms
        q.ignore("stable_prod_grad", why="it chooses how gradients are computed")

    def shapes(self, bottoms: Shapes) -> Shapes:
        first, *others = bottoms
        for number, x in enumerate(others, 2):
            if len(x) != len(first):
                raise ShapeError(
                    f"bottom {number} has the shape ({', '.join(map(show, x))})",
                    layer=self,
                    expected=f"that of bottom 1: ({', '.join(map(show, first))})",
                )
            self.require_alike(x, first, f"bottom {number}")
        return [first]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        first, *others = bottoms
        y: Array = first * first.dtype.type(self.coeff[0]) if self.operation == "SUM" else first
        for i, x in enumerate(others):
            if self.operation == "SUM":
                y = y + x * x.dtype.type(self.coeff[i + 1])
            elif self.operation == "PROD":
                y = y * x
            elif self.operation == "DIV":
                y = y / x
            elif self.operation == "MIN":
                y = np.where(y < x, y, x) if i == 0 else np.where(x < y, x, y)
            else:  # Caffe's comparisons, which decide what becomes of NaN
                y = np.where(y > x, y, x) if i == 0 else np.where(x > y, x, y)
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [self._joined(op, "Add" if len(bottoms) == 2 else "Sum", bottoms)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [self._joined(op, "Sum", bottoms)]

    def _joined(self, op: Op, addition: str, bottoms: Tensors) -> Tensor:
        first, *others = bottoms
        if not others:
            return scaled(op, first, self.coeff[0]) if self.operation == "SUM" else first
        if self.operation in ("MAX", "MIN", "DIV"):
            return op(self.operation.capitalize(), *bottoms)
        if self.operation == "PROD":
            for x in others:
                first = op("Mul", first, x)
            return first
        if self.coeff == (1, -1):
            return op("Sub", *bottoms)
        if len({*self.coeff}) == 1 and not op.plain:  # by measurement, one product less
            return scaled(op, op(addition, *bottoms, shape=first.shape), self.coeff[0])
        return op(addition, *(scaled(op, x, c) for x, c in zip(bottoms, self.coeff, strict=True)))
