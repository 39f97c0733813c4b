"""DummyData: blobs of a declared shape, of one number or of random ones."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .. import _proto
from .core import Arrays, LayerType, Op, Params, Shapes, Tensors

_T = TypeVar("_T")
_FILLERS = ("bilinear", "gaussian", "msra", "positive_unitball", "uniform", "xavier")


class DummyData(LayerType):
    """y = `value` (0) of a `constant` filler everywhere. With any other filler the tops are inputs of the net.

    Shapes: `shape`, or num, channels, height and width in old files; one for all tops, or one each.
    Source: dummy_data_layer.cpp
    """

    types = ("DummyData",)
    bottoms = (0, 0)
    tops = (1, None)
    note = "with a random filler its tops are inputs"

    def read(self, p: Params) -> None:
        q = p.message("dummy_data_param")
        fillers = q.messages("data_filler")
        for filler in fillers:
            filler.ignore(*_proto.message("FillerParameter"), why="random numbers are fed from outside")
            if filler.get_str("type") not in ("constant", *_FILLERS):
                raise filler.refuse(
                    "type", f"filler '{filler.get_str('type')}'", expected=", ".join(("constant", *_FILLERS))
                )
        constant = [filler.get_str("type") == "constant" for filler in fillers]
        if len(set(constant)) > 1:
            raise q.refuse(
                "data_filler",
                "some tops are constant, some random",
                expected="tops of one kind",
                fix="make two DummyData layers of it: one for the constant tops, one for the others",
            )
        self.is_input = not all(constant)
        self.values = self._each(q, "data_filler", [filler.get_float("value") for filler in fillers] or [0.0])
        self.sizes = self._each(q, "shape", self._shapes(q))

    def _shapes(self, q: Params) -> list[tuple[int, ...]]:
        shapes = [shape.get_ints("dim") for shape in q.messages("shape")]
        old = {name: q.get_ints(name) for name in ("num", "channels", "height", "width")}
        if any(old.values()):
            if shapes:
                raise q.refuse(
                    "shape", "both shape and num, channels, height, width are set", expected="one of the two"
                )
            shapes = list(zip(*(self._each(q, name, sizes) for name, sizes in old.items()), strict=True))
        if any(n < 0 for shape in shapes for n in shape):
            raise q.refuse("shape", f"shapes are {shapes}", expected="sizes of 0 or more")
        return shapes

    def _each(self, q: Params, name: str, values: Sequence[_T]) -> list[_T]:
        """One value for each top."""
        if len(values) not in (1, self.top_count):
            raise q.refuse(
                name, f"{len(values)} times {name} for {self.top_count} tops", expected="one for all, or one each"
            )
        return list(values) * (self.top_count if len(values) == 1 else 1)

    def declared(self, count: int) -> Sequence[tuple[int, ...] | None]:
        return self.sizes

    def shapes(self, bottoms: Shapes) -> Shapes:
        return self.sizes

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.full(shape, value, np.float32) for shape, value in zip(self.sizes, self.values, strict=True)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op.const(np.full(shape, value)) for shape, value in zip(self.sizes, self.values, strict=True)]
