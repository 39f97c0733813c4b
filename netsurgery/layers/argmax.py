"""ArgMax: where the greatest values are."""

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..message import Message
from .caffe2.operators import cast, turned
from .core import NOWHERE, Array, Arrays, LayerType, Op, Params, Reaches, Shapes, Size, Tensor, Tensors, product
from .core.layer_type import with_field

_TO_THE_START = np.iinfo(np.int64).min


class ArgMax(LayerType):
    """The indices of the `top_k` (1) greatest values, in falling order, of equal values the last one first.

    With `axis`: along it, and with `out_max_val` the values instead of the indices. Without: of each item as a whole, and with
    `out_max_val` both.

    Shapes: with `axis`: as the bottom's, the axis top_k; without: (N, 1, top_k, 1..) of as many axes as the bottom, at least 3; with
        `out_max_val` (N, 2, top_k, 1..).
    Source: argmax_layer.cpp
    """

    types = ("ArgMax",)
    choices = (0,)
    scope = "channels"

    def read(self, p: Params) -> None:
        q = p.message("argmax_param")
        self.out_max_val = q.get_bool("out_max_val")
        self.top_k = q.get_int("top_k")
        self.along = q.get_int("axis", 0) if q.has("axis") else None
        self.columns = 1 if self.along is None else None  # indices, values
        if self.top_k < 1:
            raise q.refuse("top_k", f"top_k is {self.top_k}", expected="at least 1")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if self.along is None:
            if not x:
                self.rank(x, 2)
            self._require_enough(product(x[1:]))
            return [(x[0], 1 + self.out_max_val, self.top_k, *[1] * (len(x) - 3))]
        axis = self.axis(self.along, len(x))
        self._require_enough(x[axis])
        return [(*x[:axis], self.top_k, *x[axis + 1 :])]

    def _require_enough(self, size: Size) -> None:
        if isinstance(size, int) and size < self.top_k:
            raise ShapeError(f"top_k is {self.top_k} of {size}", layer=self, expected=f"at most {size}")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        axis = 1 if self.along is None else self.along
        rows = x.reshape(x.shape[0], -1) if self.along is None else x
        index = self._greatest(rows, axis)
        values = np.take_along_axis(rows, index, axis)
        if self.along is not None:
            return [values if self.out_max_val else index.astype(x.dtype)]
        both = np.stack([index.astype(x.dtype), values][: 1 + self.out_max_val], axis=1)
        return [both.reshape(*both.shape, *[1] * (x.ndim - 3))]

    def _greatest(self, x: Array, axis: int) -> NDArray[np.intp]:
        behind = np.flip(x, axis)
        if self.top_k == 1:
            first = behind.argmax(axis=axis, keepdims=True)
        else:
            first = np.argsort(-behind, axis=axis, kind="stable").take(range(self.top_k), axis)
        return np.asarray(x.shape[axis] - 1 - first)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.along is not None:
            axis = self.axis(self.along, len(x.shape))
            if self.out_max_val:
                return [op.many(2, "TopK", x, op.ints(self.top_k), axis=axis)[0]]
            return [op("Cast", self._indices(op, x, op.size(x, axis), axis), to=1)]
        tail = [1] * (len(x.shape) - 3)
        rows = op("Flatten", x, axis=1)
        count = product(x.shape[1:])
        size = op.ints(count) if isinstance(count, int) else op("Shape", rows, start=1, end=2)
        index = op.reshape(op("Cast", self._indices(op, rows, size, 1), to=1), 0, 1, self.top_k, *tail)
        if not self.out_max_val:
            return [index]
        values, _ = op.many(2, "TopK", rows, op.ints(self.top_k), axis=1)
        return [op("Concat", index, op.reshape(values, 0, 1, self.top_k, *tail), axis=1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        rank = len(x.shape)
        if self.along is not None:
            axis = self.axis(self.along, rank)
            if self.out_max_val:
                return [op.many(2, "TopK", x, k=self.top_k, axis=axis)[0]]
            return [cast(op, self._indices_caffe2(op, x, axis), "float")]
        tail = [1] * (rank - 3)
        rows = op.reshape(x, 0, -1, shape=(x.shape[0], product(x.shape[1:])))
        index = op.reshape(cast(op, self._indices_caffe2(op, rows, 1), "float"), 0, 1, self.top_k, *tail)
        if not self.out_max_val:
            return [index]
        values, _ = op.many(2, "TopK", rows, k=self.top_k, axis=1)
        return [op("Concat", index, op.reshape(values, 0, 1, self.top_k, *tail), axis=1)]

    def _indices_caffe2(self, op: Op, x: Tensor, axis: int) -> Tensor:
        behind = turned(op, x, axis)  # the first of equal values is preferred, as in ONNX
        if self.top_k == 1:
            first = op("ArgMax", behind, axis=axis, keepdims=1)
        else:
            _, first = op.many(2, "TopK", behind, k=self.top_k, axis=axis)
        return op("Sub", op("Sub", op.size(x, axis), op.ints(1)), first)

    def _indices(self, op: Op, x: Tensor, size: Tensor, axis: int) -> Tensor:
        if self.top_k == 1:
            return op("ArgMax", x, axis=axis, keepdims=1, select_last_index=1)
        # TopK prefers the first of equal values: so it is given the reversed axis
        behind = op("Slice", x, op.ints(-1), op.ints(_TO_THE_START), op.ints(axis), op.ints(-1))
        _, first = op.many(2, "TopK", behind, op.ints(self.top_k), axis=axis)
        return op("Sub", op("Sub", size, op.ints(1)), first)

    def reach(self, bottoms: Shapes) -> Reaches:
        return [()] if self.along is None else self.reach_but(bottoms, self.along, NOWHERE)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if self.along is not None:
            return self.over_channels(params, "argmax_param", self.along, len(bottoms[0]))
        if self.out_max_val:
            raise self.refusal(
                "gives index and value of each item as a whole, which ArgMax does not do for each position"
            )
        return with_field(params, "argmax_param", "axis", 1)
