"""What Bias and Scale share: a blob laid along some axes of the bottom."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ..core import Array, Arrays, Field, LayerType, Message, Op, Params, Shape, ShapeError, Shapes, Tensor, near
from ..core.aliases import Rng, Sizes


class Along(LayerType):
    """The base of layers that combine x with a blob whose axes are axis, axis + 1, .. of x: learned, over `num_axes` axes (-1: all that
    follow; 0: one number), or the second bottom, of any shape that fits."""

    bottoms = (1, 2)
    in_place = True
    scope = "channels"
    message: ClassVar[str]
    """The name of its parameter message."""

    def read_place(self, q: Params) -> None:
        self.from_axis = q.get_int("axis")
        self.num_axes = q.get_int("num_axes")
        if self.num_axes < -1:
            raise q.refuse("num_axes", f"num_axes is {self.num_axes}", expected="0 or more, or -1 for all that follow")

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        return [near(filler.usual, shape, rng) for filler, shape in zip(self.fillers, shapes, strict=False)]

    def blob_shape(self, bottoms: Shapes) -> Shape:
        """The shape of the blob. Raises: ShapeError if it reaches past the last axis of the bottom."""
        x = bottoms[0]
        if len(bottoms) == 2:
            count = len(bottoms[1])
            axis = self.axis(self.from_axis, len(x)) if count else 0  # for one number, Caffe does not look at axis
        else:
            axis = self.axis(self.from_axis, len(x))
            count = len(x) - axis if self.num_axes == -1 else self.num_axes
        if axis + count > len(x):
            raise ShapeError(
                f"{count} axes from axis {axis} on, of a bottom with {len(x)}",
                layer=self,
                expected=f"at most {len(x) - axis}",
            )
        return x[axis : axis + count]

    def shapes(self, bottoms: Shapes) -> Shapes:
        shape = self.blob_shape(bottoms)
        for other in bottoms[1:]:
            self.require_alike(other, shape, "the second bottom")
        return [bottoms[0]]

    def behind(self, rank: int, blob_rank: int) -> tuple[int, ...]:
        """The ones that the blob's shape needs behind it to lie along its axes of the bottom."""
        return (1,) * (rank - self.axis(self.from_axis, rank) - blob_rank) if blob_rank else ()

    def emit_along(self, op: Op, x: Tensor, blob: Tensor | Array, name: str) -> Tensor:
        """The second bottom, or a blob of the layer's as parameter `name`, of a shape in which it lies along its axes of x."""
        behind = self.behind(len(x.shape), len(blob.shape))
        if isinstance(blob, (np.ndarray, np.generic)):  # a blob of one number may come as that
            return op.weight(blob.reshape(blob.shape + behind), name)
        return op.reshape(blob, [0] * len(blob.shape), behind) if behind else blob

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        axis = self.axis(self.from_axis, len(bottoms[0]))
        if len(bottoms) == 2:
            if axis != 0 or len(bottoms[0]) != len(bottoms[1]):
                raise self.refusal("combines bottoms of different shapes")
            fields = [Field("axis", 0)]
        elif self.num_axes == 0:
            return params
        else:
            if axis != 1 or len(self.blob_shape(bottoms)) != 1:
                raise self.refusal(f"works along axis {axis} and those behind it, not over the channels")
            fields = [Field("axis", 1), Field("num_axes", 1)]
        inner = params.last(self.message, Message())
        for field in fields:
            if inner.last(field.name, 1) != field.value:
                inner = inner.with_fields(field)
        return params.with_fields(Field(self.message, inner))


EPSILON = 1e-5
"""What BatchNormalization adds to a variance where nothing is said."""


def emit_scaled(op: Op, x: Tensor, scale: Array, shift: Array) -> Tensor:
    """x * scale + shift, each (C), in one pass instead of two, which in onnxruntime stays in the blocked layout of convolutions and takes
    in the ReLU behind it."""
    count = len(scale)
    return op("BatchNormalization", x, scale, shift, np.zeros(count), np.full(count, 1 - EPSILON))
