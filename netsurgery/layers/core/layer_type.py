"""What every layer type is: a class that reads parameters, gives shapes, computes with NumPy, and emits ONNX (and Caffe2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from ... import _proto
from ...errors import ShapeError, Source, UnsupportedError
from ...kind import Kind
from ...message import Field, Message
from .aliases import Array as Array
from .aliases import Arrays, Reaches, Shapes, Tensors
from .builder import Op
from .dims import Shape, Size, constrain, show
from .fillers import he_normal, near
from .params import Params
from .reach import SAME, Reach


class LayerType(Kind):
    """The base of layer types. A subclass fills what it needs of this and of Kind; see layers/pooling.py for a full one,
    layers/absval.py for a small one.

    One instance belongs to one layer; it is made on loading, holds the parameters that it read, and nothing that changes.
    """

    types: ClassVar[tuple[str, ...]] = ()
    """Caffe's type names that this class answers to."""

    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of bottoms (None: no limit)."""

    tops: ClassVar[tuple[int, int | None]] = (1, 1)

    fewest_axes: ClassVar[int] = 0
    """How many axes a bottom must have, where the top has its shape."""

    mixes: ClassVar[str] = "does not treat each position of a map alone"
    """Why a layer of scope "map" cannot follow when its bottom, one vector for each item, becomes a map of such vectors."""

    note: ClassVar[str] = ""
    """What `netsurgery layers` says of it: limits, variants, "by formula"."""

    parameters: ClassVar[Mapping[str, Any]] = {}
    """For layers of one's own: {"my_param": {"scale": 1.0, "mode": "SUM"}}: message -> field -> default."""

    def __init__(
        self,
        name: str,
        type: str,
        source: Source,
        p: Params,
        blob_count: int = 0,
        bottom_count: int = 1,
        top_count: int = 1,
    ) -> None:
        self.name, self.type, self.source = name, type, source
        # Blobs that the weights file holds for the layer, 0 without one: tells variants apart.
        self.blob_count = blob_count
        self.bottom_count, self.top_count = bottom_count, top_count
        self.read(p)

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        """The class for a layer of this type, where its parameters choose it (Python: module and layer)."""
        return cls

    def read(self, p: Params) -> None:
        """Reads the layer's parameters. Raises: UnsupportedError for a value that is refused."""

    def shapes(self, bottoms: Shapes) -> Shapes:
        if len(bottoms[0]) < self.fewest_axes:
            least = f"{self.fewest_axes} or more: (N, C, ...)"
            raise ShapeError(f"the bottom has {len(bottoms[0])} axes", layer=self, expected=least)
        return [bottoms[0]]

    def random_weights(self, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> Arrays:
        """Matrices and kernels N(0, 2 / fan_in), vectors close to what Caffe fills them with when the file does not say (bias 0,
        scale 1)."""
        usual = [*(filler.usual for filler in self.fillers), *[0.0] * len(shapes)]
        return [
            he_normal(shape, prod(shape[1:]), rng) if prod(shape) > max(shape, default=1) else near(value, shape, rng)
            for shape, value in zip(shapes, usual, strict=False)
        ]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        """The tops as operators of Caffe2 that run on the CPU: those of `emit`, where Caffe2 has them all."""
        if self.is_identity:
            return [bottoms[0]] * self.top_count
        if type(self).emit is LayerType.emit:
            return super().emit_caffe2(op, bottoms, weights)
        return self.emit(op.in_onnx_words(), bottoms, weights)

    def with_values(self, params: Message, values: Mapping[str, object]) -> Message:
        own = [m for m in self.messages if _proto.message("LayerParameter").get(m) or params.has(m)]
        for name, value in values.items():
            holder = next((m for m in own if params.last(m, Message()).has(name)), "") or next(
                (m for m in own if name in _proto.fields(_type(m))), own[0] if own else ""
            )
            if not holder:
                raise UnsupportedError(f"has no parameters: '{name}' cannot be set", layer=self)
            inner = params.last(holder, Message(_type(holder), place=self.source))
            listed = value if isinstance(value, list | tuple) else [value] if value is not None else []
            fields = [Field(name, v, inner.source) for v in listed]
            inner = inner.with_fields(*fields) if fields else inner.without(name)
            params = params.with_fields(Field(holder, inner, inner.source))
        return params

    def reach(self, bottoms: Shapes) -> Reaches:
        return [() if self.scope == "map" else [SAME] * (len(x) - 2) for x in bottoms]

    def reach_but(self, bottoms: Shapes, axis: int, reach: Reach) -> Sequence[Sequence[Reach]]:
        """`reach` for layers that work along one axis (Caffe's count): each position sees its own place along the others."""
        return [[reach if i == axis % len(x) else SAME for i in range(2, len(x))] for x in bottoms]

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if self.scope == "map":
            raise self.refusal(self.mixes)
        return params

    def over_channels(self, params: Message, message: str, axis: int, rank: int) -> Message:
        """`params` where `axis` must mean the channels: written as 1 in `message` if it was counted from the end.

        Raises: RewriteError."""
        if axis % rank != 1:
            raise self.refusal(f"works along axis {axis}, not over the channels")
        if axis == 1:
            return params
        return with_field(params, message, "axis", 1)

    def require(self, size: Size, expected: Size, what: str, *, fix: str = "") -> None:
        """States that a size must be another: checked where both are numbers, else it ties down the input axes behind it.

        Raises: ShapeError."""
        if not constrain(size, expected, what):
            raise ShapeError(f"{what}: {show(size)}", layer=self, expected=show(expected), fix=fix)

    def require_least(self, size: Size, least: int, what: str) -> None:
        """Raises: ShapeError for a size that is a number below another."""
        if isinstance(size, int) and size < least:
            self.require(size, least, what)

    def require_alike(
        self, shape: Shape, expected: Shape, what: str, axes: Sequence[str] = (), *, fix: str = ""
    ) -> None:
        """`require` for each axis of a blob, by its name in `axes` or as "axis 0", "axis 1", ... Raises: ShapeError."""
        for i, (size, other) in enumerate(zip(shape, expected, strict=True)):
            self.require(size, other, f"{axes[i] if axes else f'axis {i}'} of {what}", fix=fix)

    def axis(self, axis: int, rank: int) -> int:
        """A Caffe axis made canonical: -1 is the last. Raises: ShapeError."""
        if not -rank <= axis < rank:
            raise ShapeError(f"axis {axis} of a blob with {rank} axes", layer=self, expected=f"-{rank} to {rank - 1}")
        return axis % rank

    def rank(self, shape: Shape, expected: int, blob: str = "bottom") -> None:
        """Raises: ShapeError unless the shape has that many axes."""
        if len(shape) != expected:
            raise ShapeError(
                f"{blob} has {len(shape)} axes: ({', '.join(map(show, shape))})",
                layer=self,
                expected=f"{expected} axes",
            )

    def ranks(self, shapes: Shapes, expected: int, blobs: Sequence[str] = ()) -> None:
        """`rank` for each of several blobs, "bottom 0", "bottom 1", ... unless they are named."""
        for i, shape in enumerate(shapes):
            self.rank(shape, expected, blobs[i] if blobs else f"bottom {i}")


def with_field(params: Message, message: str, name: str, value: object) -> Message:
    """A layer's parameters with a field of one of its parameter messages set."""
    inner = params.last(message, Message(_type(message))).with_fields(Field(name, value))
    return params.with_fields(Field(message, inner))


class Elementwise(LayerType):
    """The base of types whose top has at each place a number that is computed from that of the bottom there alone, whichever of the
    two lies in the other's memory."""

    in_place = True
    scope = "number"


def _type(message: str) -> str:
    """The schema's name for a parameter message of layers, "" if it has none."""
    schema = _proto.message("LayerParameter").get(message)
    return schema.type if schema else ""
