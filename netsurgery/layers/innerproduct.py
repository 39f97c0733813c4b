"""InnerProduct: a matrix applied to each item."""

from collections.abc import Sequence

import numpy as np

from ..message import Message
from .core import Array, Arrays, LayerType, Op, Params, Shape, Shapes, Size, Surgery, Tensors, he_normal, near, product
from .core.aliases import Rng, Sizes
from .shared.grouped import take_in, with_bias
from .shared.matrices import product_with, times_bottom, times_bottom_caffe2, to_convolution, unit_rows


class InnerProduct(LayerType):
    """y = W x + b, x being all axes from `axis` (1) on, flattened.

    In happynear's forks W may be the second bottom, without b; `normalize` brings the rows of a W that is a blob to length 1.

    Shapes: (d0, .., d_axis-1, ..) -> (d0, .., d_axis-1, num_output); W (num_output, K), with `transpose` (K, num_output); b (num_output).
    Source: inner_product_layer.cpp, of BVLC and of happynear/caffe-windows
    """

    types = ("InnerProduct",)
    gives_features = True
    casts_weights = True
    bottoms = (1, 2)

    def read(self, p: Params) -> None:
        q = p.message("inner_product_param")
        p.ignore("inner_distance_param", why="InnerDistance reads it; InnerProduct of the same fork does not")
        self.num_output = q.get_int("num_output")
        self.bias_term = q.get_bool("bias_term")
        self.from_axis = q.get_int("axis")
        self.transpose = q.get_bool("transpose")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")
        self.normalize = q.get_bool("normalize") and self.bottom_count == 1
        if self.bottom_count == 2 and self.bias_term:
            raise q.refuse("bias_term", "bias_term with weights from a bottom", expected="bias_term: false")
        if self.num_output < 1 and self.bottom_count == 1:
            raise q.refuse("num_output", f"num_output is {self.num_output}", expected="a positive number")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        if len(bottoms) == 2:
            return []
        k = product(bottoms[0][self.axis(self.from_axis, len(bottoms[0])) :])
        weight: Shape = (k, self.num_output) if self.transpose else (self.num_output, k)
        return [weight, (self.num_output,)][: 1 + self.bias_term]

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        weight = he_normal(shapes[0], shapes[0][0 if self.transpose else 1], rng)
        return [weight, *(near(0, shape, rng) for shape in shapes[1:])]

    def shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        axis = self.axis(self.from_axis, len(x))
        if len(bottoms) == 1:
            return [(*x[:axis], self.num_output)]
        w = bottoms[1]
        k, n = (w[0], product(w[1:])) if self.transpose else (product(w[1:]), w[0])
        self.require(k, product(x[axis:]), "values of bottom 1 for each output")
        return [(*x[:axis], n)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        lead = x.shape[: self.axis(self.from_axis, x.ndim)]
        rows = x.reshape(int(np.prod(lead)), -1)
        w = bottoms[1].reshape(len(bottoms[1]), -1) if len(bottoms) == 2 else weights[0]
        w = unit_rows(np.require(w, x.dtype, "A"), rows.shape[1]) if self.normalize else w
        y = product_with(rows, w if self.transpose else w.T)
        if self.bias_term:
            y += np.asarray(weights[1], x.dtype)
        return [y.reshape(*lead, y.shape[1])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        axis = self.axis(self.from_axis, len(x.shape))
        if len(bottoms) == 2:
            return [times_bottom(op, x, bottoms[1], axis, self.transpose)]
        weights = self._matrices(weights)
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

    def _matrices(self, weights: Arrays) -> Arrays:
        """The blobs, W as it is used."""
        if not self.normalize or not weights:
            return weights
        return [unit_rows(weights[0], weights[0].shape[0 if self.transpose else 1]), *weights[1:]]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        axis = self.axis(self.from_axis, len(x.shape))
        if len(bottoms) == 2:
            return [times_bottom_caffe2(op, x, bottoms[1], axis, self.transpose)]
        weights = self._matrices(weights)
        bias = op.weight(weights[1], "b") if self.bias_term else op.const(np.zeros(self.num_output))
        kind = "FCTransposed" if self.transpose else "FC"
        return [op(kind, x, op.weight(weights[0], "w"), bias, axis=axis if axis != 1 else None)]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(bottoms[0]) * tops[0][-1]

    def absorb(self, params: Message, weights: Arrays, scale: Array, shift: Array) -> Surgery | None:
        if self.from_axis != 1 or self.normalize or not weights:
            return None
        factor = scale if self.transpose or scale.ndim == 0 else scale[:, None]
        old = weights[1].astype(np.float64) if self.bias_term else np.zeros(self.num_output)
        return with_bias(params, "inner_product_param", weights[0].astype(np.float64) * factor, old * scale + shift)

    def absorb_input(
        self, params: Message, weights: Arrays, bottom: Shape, order: Sequence[int], scale: Array, shift: Array
    ) -> tuple[Message, tuple[Array, ...], bool] | None:
        if self.from_axis != 1 or len(bottom) < 2 or self.normalize or not weights:
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
        return *with_bias(params, "inner_product_param", matrix, bias), True

    def as_convolution(self, params: Message, kernel: Sequence[int]) -> Message:
        """Its parameters as those of a Convolution with that kernel, in the style of Caffe's models."""
        return to_convolution(params, kernel)

    def as_kernels(self, weight: Array, seen: Sequence[int]) -> Array:
        """Its matrix as the kernels of a Convolution over a map of shape `seen`, on the same bytes unless it is transposed."""
        rows = np.ascontiguousarray(weight.T) if self.transpose else weight
        return rows.reshape(rows.shape[0], *seen)
