"""Crop: a blob cut to the size of another."""

from .caffe2.operators import part
from .core import Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Tensors


class Crop(LayerType):
    """y = x[.., offset : offset + size of ref, ..] on every axis from `axis` (2) on; offset 0, or one for all, or one each.

    Shapes: x (d0, ..), ref (r0, ..) -> (d0, .., d_axis-1, r_axis, ..).
    Source: crop_layer.cpp
    """

    types = ("Crop",)
    gives_features = True
    bottoms = (2, 2)

    def read(self, p: Params) -> None:
        q = p.message("crop_param")
        self.from_axis = q.get_int("axis")
        self.offset = q.get_ints("offset")

    def _offsets(self, rank: int) -> list[int]:
        """The offset of each axis from `axis` on."""
        axes = rank - self.axis(self.from_axis, rank)
        if len(self.offset) > 1 and len(self.offset) != axes:
            raise ShapeError(
                f"{len(self.offset)} offsets for {axes} axes", layer=self, expected=f"one for all, or {axes}"
            )
        return list(self.offset or (0,)) * (axes if len(self.offset) < 2 else 1)

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, ref = bottoms
        if len(ref) < len(x):
            self.rank(ref, len(x), "the second bottom")
        offsets = self._offsets(len(x))
        start = len(x) - len(offsets)
        for i, offset in enumerate(offsets, start):
            size, length = x[i], ref[i]
            if isinstance(size, int) and isinstance(length, int) and offset + length > size:
                raise ShapeError(
                    f"axis {i}: {length} from {offset} on, out of {size}",
                    layer=self,
                    expected="a part of the first bottom",
                )
        return [(*x[:start], *ref[start : len(x)])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, ref = bottoms
        offsets = self._offsets(x.ndim)
        start = x.ndim - len(offsets)
        cut = [slice(None)] * start + [slice(o, o + n) for o, n in zip(offsets, ref.shape[start : x.ndim], strict=True)]
        return [x[tuple(cut)]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, ref = bottoms
        offsets = self._offsets(len(x.shape))
        start = len(x.shape) - len(offsets)
        cut = {i: o for i, o in enumerate(offsets, start) if o or x.shape[i] != ref.shape[i]}
        if not cut:
            return [x]
        sizes = op.ints(*(op.size(ref, i) for i in cut))
        starts = op.ints(list(cut.values()))
        ends = op("Add", sizes, starts) if any(cut.values()) else sizes
        y = op("Slice", x, starts, ends, op.ints(list(cut)))
        if all(isinstance(size, int) for i in cut for size in (x.shape[i], ref.shape[i])):
            return [y]
        # Slice gives less where there is less: a bottom that is too small must not pass, and this costs nothing
        return [op.reshape(y, *(op.size(ref, i) if i in cut else 0 for i in range(len(x.shape))))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, ref = bottoms
        rank = len(x.shape)
        offsets = self._offsets(rank)
        y = x
        for axis, o in enumerate(offsets, rank - len(offsets)):
            rest = x.shape[axis] - ref.shape[axis] - o
            if isinstance(rest, int):
                y = part(op, y, rank, axis, o, -1 - rest) if o or rest else y
            else:
                y = part(op, y, rank, axis, op.ints(o), op("Add", op.size(ref, axis), op.ints(o)))
        return [y]

    def reach(self, bottoms: Shapes) -> Reaches:
        rank = len(bottoms[0])
        offsets = self._offsets(rank)
        offsets = [0] * (rank - len(offsets)) + offsets
        return [[Reach(1, o, o) for o in offsets[2:]], None]
