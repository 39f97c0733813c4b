"""InnerDistance: how far each item is from each row of a matrix."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Size, Tensors, product
from .shared.emission import magnitude
from .shared.matrices import unit_rows


class InnerDistance(LayerType):
    """L2: y[n] = sum over k of (x[k] - W[n, k])^2 (no root); L1: sum of |x[k] - W[n, k]|; x being all axes from `axis` (1) on, flattened.
    `normalize` brings the rows of W to length 1 first: w / sqrt(sum w^2 + 1e-6). W is a blob, or the second bottom (as it is).

    Shapes: (d0, .., d_axis-1, ..) -> (d0, .., d_axis-1, N); W (N, K).
    Source: inner_distance_layer.cpp of happynear/caffe-windows
    """

    types = ("InnerDistance",)
    bottoms = (1, 3)
    mixes = "compares all of an item at once"

    def read(self, p: Params) -> None:
        q = p.message("inner_distance_param")
        self.num_output, self.from_axis = q.get_int("num_output", 0), q.get_int("axis")
        self.kind, self.normalize = q.get_str("distance_type"), q.get_bool("normalize")
        self.fillers = (q.filler("weight_filler"),)
        q.ignore("bias_term", "bias_filler", why="the layer has no bias")
        q.ignore("update_center_only", why="it steers training")
        self.own = self.bottom_count == 1
        """Whether W is a blob."""
        if self.kind not in ("L1", "L2"):
            raise q.refuse("distance_type", f"distance_type is {self.kind}", expected="L1 or L2")
        if q.get_bool("transpose"):
            raise q.refuse("transpose", "transpose, which the layer does not compute", expected="false")
        if self.own and self.num_output < 1:
            raise q.refuse("num_output", f"num_output is {self.num_output}", expected="a positive number")
        if self.bottom_count > 2:
            raise ShapeError(f"{self.bottom_count} bottoms", layer=self, expected="x, or x and W")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        return [(self.num_output, product(x[self.axis(self.from_axis, len(x)) :]))] if self.own else []

    def shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        axis = self.axis(self.from_axis, len(x))
        if self.own:
            return [(*x[:axis], self.num_output)]
        self.require(product(bottoms[1][1:]), product(x[axis:]), "values in a row of bottom 1")
        return [(*x[:axis], bottoms[1][0])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        w = (weights[0] if self.own else bottoms[1].reshape(len(bottoms[1]), -1)).astype(x.dtype)
        w = unit_rows(w, w.shape[1]) if self.normalize and self.own else w
        lead = x.shape[: self.axis(self.from_axis, x.ndim)]
        rows = x.reshape(-1, w.shape[1])
        y = np.empty((len(rows), len(w)), x.dtype)
        for i, row in enumerate(rows):
            far = row - w
            y[i] = (far * far if self.kind == "L2" else np.abs(far)).sum(axis=1)
        return [y.reshape(*lead, len(w))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        axis = self.axis(self.from_axis, len(x.shape))
        if self.own:
            w = op.weight(unit_rows(weights[0], weights[0].shape[1]) if self.normalize else weights[0], "weight")
        else:
            w = op("Flatten", bottoms[1], axis=1)
        rows = op("Unsqueeze", op("Flatten", x, axis=axis), op.ints(1))
        far = op("Sub", rows, w)  # (M, N, K): products of squares would cancel
        y = magnitude(op, far, (2,), power=2 if self.kind == "L2" else 1)
        if axis == 1:
            return [y]
        width = self.num_output if self.own else op.size(bottoms[1], 0)
        return [op.reshape(y, *(op.size(x, i) for i in range(axis)), width)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        axis = self.axis(self.from_axis, len(x.shape))
        k = product(x.shape[axis:])
        if self.own:
            w = op.weight(unit_rows(weights[0], weights[0].shape[1]) if self.normalize else weights[0], "w")
        else:
            w = op.reshape(bottoms[1], op.size(bottoms[1], 0), -1)
        rows = op.reshape(x, -1, 1, op.number(k))
        far = op("Sub", rows, w)
        y = op("ReduceSum", op("Sqr" if self.kind == "L2" else "Abs", far), axes=(2,), keepdims=0)
        width = self.num_output if self.own else op.size(bottoms[1], 0)
        return [op.reshape(y, *(op.size(x, i) for i in range(axis)), width)]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(bottoms[0]) * tops[0][-1]
