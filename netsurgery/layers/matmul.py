"""MatMul: matrices multiplied, item by item."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Size, Tensor, Tensors, product


class MatMul(LayerType):
    """y = a b over the last two axes, a and b turned around first where `transpose_a` or `transpose_b` say so. b is the second bottom, or a
    blob of `blob_shape`. Where a has more axes than b, b is one matrix for all of a.

    Shapes: a (.., M, K), b (.., K, N) -> (.., M, N).
    Source: matmul_layer.cpp (Synopsys)
    """

    types = ("MatMul",)
    bottoms = (1, 2)
    mixes = "multiplies over the last axes of its bottoms"
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("matmul_param")
        self.turn_a, self.turn_b = q.get_bool("transpose_a"), q.get_bool("transpose_b")
        self.blob = q.get_ints("blob_shape")
        if self.bottom_count == 1 and len(self.blob) < 2:
            raise q.refuse("blob_shape", "one bottom and no blob_shape", expected="two bottoms, or blob_shape")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [self.blob] if len(bottoms) == 1 else []

    def shapes(self, bottoms: Shapes) -> Shapes:
        a, b = bottoms[0], bottoms[1] if len(bottoms) == 2 else self.blob
        if len(b) < 2 or len(a) < len(b) or (len(a) > len(b) and (len(b) != 2 or self.turn_a or self.turn_b)):
            raise ShapeError(
                f"matrices of {len(a)} and {len(b)} axes",
                layer=self,
                expected="as many, 2 or more; or 2 for the second, neither turned around",
            )
        m, k = (a[-1], a[-2]) if self.turn_a else (a[-2], a[-1])
        inner, n = (b[-1], b[-2]) if self.turn_b else (b[-2], b[-1])
        self.require(inner, k, "the axis of the second matrix that is summed over")
        if len(a) == len(b):
            self.require_alike(b[:-2], a[:-2], "the second matrix")
        return [(*a[:-2], m, n)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, b = bottoms[0], bottoms[1] if len(bottoms) == 2 else weights[0]
        a = np.swapaxes(a, -1, -2) if self.turn_a else a
        b = np.swapaxes(b, -1, -2) if self.turn_b else b
        return [a @ b]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a = bottoms[0]
        b = bottoms[1] if len(bottoms) == 2 else op.weight(weights[0], "weight")
        return [op("MatMul", _turned(op, a, self.turn_a), _turned(op, b, self.turn_b))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a = bottoms[0]
        b = bottoms[1] if len(bottoms) == 2 else op.weight(weights[0], "w")
        first, second = 1 if self.turn_a else None, 1 if self.turn_b else None
        if len(a.shape) == 2:
            return [op("MatMul", a, b, trans_a=first, trans_b=second)]
        return [op("BatchMatMul", a, b, trans_a=first, trans_b=second, broadcast=1)]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        return product(tops[0]) * bottoms[0][-2 if self.turn_a else -1]


def _turned(op: Op, x: Tensor, turn: bool) -> Tensor:
    rank = len(x.shape)
    return op("Transpose", x, perm=[*range(rank - 2), rank - 1, rank - 2]) if turn else x
