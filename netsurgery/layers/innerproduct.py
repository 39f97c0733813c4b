"""InnerProduct: a matrix applied to each item."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..message import Field, Message
from .caffe2.operators import Operators
from .core.dims import Shape, Size, product
from .core.fillers import he_normal, near
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params
from .shared.grouped import take_in


class InnerProduct(LayerType):
    """y = W x + b, x being all axes from `axis` (1) on, flattened.

    Shapes: (d0, .., d_axis-1, ..) -> (d0, .., d_axis-1, num_output); W (num_output, K), with `transpose` (K, num_output); b (num_output).
    Source: inner_product_layer.cpp
    """

    types = ("InnerProduct",)

    def read(self, p: Params) -> None:
        q = p.message("inner_product_param")
        self.num_output = q.get_int("num_output")
        self.bias_term = q.get_bool("bias_term")
        self.from_axis = q.get_int("axis")
        self.transpose = q.get_bool("transpose")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        if self.num_output < 1:
            raise q.refuse("num_output", f"num_output is {self.num_output}", expected="a positive number")

    def weight_shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        k = product(bottoms[0][self.axis(self.from_axis, len(bottoms[0])) :])
        weight: Shape = (k, self.num_output) if self.transpose else (self.num_output, k)
        return [weight, (self.num_output,)][: 1 + self.bias_term]

    def random_weights(self, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> Sequence[Array]:
        weight = he_normal(shapes[0], shapes[0][0 if self.transpose else 1], rng)
        return [weight, *(near(0, shape, rng) for shape in shapes[1:])]

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        (x,) = bottoms
        return [(*x[: self.axis(self.from_axis, len(x))], self.num_output)]

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        (x,) = bottoms
        lead = x.shape[: self.axis(self.from_axis, x.ndim)]
        rows = x.reshape(int(np.prod(lead)), -1)
        y = rows @ (weights[0] if self.transpose else weights[0].T)
        return [(y + weights[1] if self.bias_term else y).reshape(*lead, self.num_output)]

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        axis = self.axis(self.from_axis, len(x.shape))
        w = op.weight(weights[0], "weight")
        bias = op.weight(weights[1], "bias") if self.bias_term else None
        k = weights[0].shape[0 if self.transpose else 1]
        if axis <= 1:  # a matrix: Gemm
            if len(x.shape) != 2 or axis == 0:
                x = op.reshape(x, [-1 if axis else 1, k])
            y = op("Gemm", x, w, bias, transB=int(not self.transpose))
            return [op.reshape(y, [self.num_output])] if axis == 0 else [y]
        if axis < len(x.shape) - 1:
            x = op.reshape(x, [0] * axis, k)
        y = op("MatMul", x, w if self.transpose else op.weight(np.ascontiguousarray(weights[0].T), "weight"))
        return [op("Add", y, bias) if bias is not None else y]

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        (x,) = bottoms
        bias = op.weight(weights[1], "b") if self.bias_term else op.const(np.zeros(self.num_output))
        kind = "FCTransposed" if self.transpose else "FC"
        axis = self.axis(self.from_axis, len(x.shape))
        return [op(kind, x, op.weight(weights[0], "w"), bias, axis=axis if axis != 1 else None)]

    def macs(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Size:
        return product(bottoms[0]) * self.num_output

    def absorb(
        self, params: Message, weights: Sequence[Array], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...]] | None:
        if self.from_axis != 1:
            return None
        factor = scale if self.transpose or scale.ndim == 0 else scale[:, None]
        w = (weights[0].astype(np.float64) * factor).astype(np.float32)
        old = weights[1].astype(np.float64) if self.bias_term else np.zeros(self.num_output)
        b = (old * scale + shift).astype(np.float32)
        param = params.last("inner_product_param", Message("InnerProductParameter"))
        return params.with_fields(Field("inner_product_param", param.with_fields(Field("bias_term", True)))), (w, b)

    def absorb_input(
        self, params: Message, weights: Sequence[Array], bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        if self.from_axis != 1 or len(bottom) < 2:
            return None
        w = (weights[0].T if self.transpose else weights[0]).reshape(self.num_output, len(order), -1)
        taken = take_in(w, 1, order, scale, shift)
        if taken is None:
            return None
        matrix = taken[0].reshape(self.num_output, -1).astype(np.float32)
        matrix = np.ascontiguousarray(matrix.T) if self.transpose else matrix
        if not shift.any():
            return params, (matrix, *weights[1:]), True
        bias = taken[1] + (weights[1] if self.bias_term else 0)
        param = params.last("inner_product_param").with_fields(Field("bias_term", True))
        return params.with_fields(Field("inner_product_param", param)), (matrix, bias.astype(np.float32)), True
