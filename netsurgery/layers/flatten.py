"""Flatten: several axes made one."""

from ..errors import ShapeError
from .core import SAME, Array, Arrays, Field, LayerType, Message, Op, Params, Reaches, Shapes, Tensors, product


class Flatten(LayerType):
    """The axes from `axis` (1) to `end_axis` (-1) become one; end_axis = axis - 1 inserts an axis of size 1.

    Shapes: (d0, .., d_axis, .., d_end, ..) -> (d0, .., d_axis * .. * d_end, ..).
    Source: flatten_layer.cpp
    """

    types = ("Flatten",)
    gives_features = True
    flattens = True
    shares_memory = True

    def read(self, p: Params) -> None:
        q = p.message("flatten_param")
        self.first, self.last = q.get_int("axis"), q.get_int("end_axis")

    def _range(self, rank: int) -> tuple[int, int]:
        """The first axis that is flattened, and the first after it that is not."""
        return self.axis(self.first, rank), self.axis(self.last, rank) + 1

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        start, end = self._range(len(x))
        if start > end:
            raise ShapeError(
                f"axis {self.first}, end_axis {self.last} of {len(x)} axes",
                layer=self,
                expected="axis not behind end_axis",
            )
        return [(*x[:start], product(x[start:end]), *x[end:])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        start, end = self._range(x.ndim)
        return [x.reshape(*x.shape[:start], -1 if end > start else 1, *x.shape[end:])] if x.size else [self._empty(x)]

    def _empty(self, x: Array) -> Array:
        (shape,) = self.shapes([x.shape])
        return x.reshape([int(n) for n in shape if isinstance(n, int)])

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        start, end = self._range(len(x.shape))
        if start == 1 and 2 < end == len(x.shape):
            return [op("Flatten", x, axis=1)]
        return self.emit_caffe2(op, bottoms, weights)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        start, end = self._range(len(x.shape))
        if end == start + 1:
            return [x]
        flat = product(x.shape[start:end])
        rest = [op.size(x, i) for i in range(end, len(x.shape))]
        return [op.reshape(x, [0] * start, flat if isinstance(flat, int) else -1, *rest)]

    def reach(self, bottoms: Shapes) -> Reaches:
        (x,) = bottoms
        return [[SAME] * (len(x) - 2) if tuple(self.shapes(bottoms)[0]) == tuple(x) else ()]

    def unchanged(self, params: Message, rank: int) -> Message:
        return params.with_fields(Field("flatten_param", Message("FlattenParameter", (Field("end_axis", 1),))))
