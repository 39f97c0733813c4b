"""Reshape: the same numbers in other axes."""

from ..errors import ShapeError
from .core import SAME, Arrays, Field, LayerType, Message, Op, Params, Reaches, Shapes, Size, Tensors, product


class Reshape(LayerType):
    """`num_axes` (-1: all) axes from `axis` (0; -1: behind the last) on are replaced by `shape`.

    A 0 in it copies the bottom's axis at that place, -1 is what is left over.

    Shapes: any -> the same count.
    Source: reshape_layer.cpp
    """

    types = ("Reshape",)
    in_place = True
    gives_features = True
    flattens = True
    shares_memory = True

    def read(self, p: Params) -> None:
        q = p.message("reshape_param")
        self.dims = q.message("shape").get_ints("dim")
        self.start, self.num_axes = q.get_int("axis"), q.get_int("num_axes")
        if self.dims.count(-1) > 1 or any(n < -1 for n in self.dims):
            raise q.refuse("shape", f"shape is {self.dims}", expected="sizes, 0 to copy, -1 once")
        if self.num_axes < -1:
            raise q.refuse("num_axes", f"num_axes is {self.num_axes}", expected="0 or more, or -1 for all")

    def _range(self, rank: int) -> tuple[int, int]:
        """The first axis that is replaced, and the first after it that is not."""
        start = self.start if self.start >= 0 else rank + self.start + 1
        end = rank if self.num_axes == -1 else start + self.num_axes
        if not 0 <= start <= end <= rank:
            raise ShapeError(
                f"axis {self.start}, num_axes {self.num_axes} of a blob with {rank} axes",
                layer=self,
                expected=f"axes from 0 to {rank}",
            )
        if any(n == 0 and start + i >= rank for i, n in enumerate(self.dims)):
            raise ShapeError(
                f"shape {self.dims} copies an axis that a blob with {rank} axes does not have",
                layer=self,
                expected="a 0 only where the bottom has an axis",
            )
        return start, end

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        start, end = self._range(len(x))
        new: list[Size] = [x[start + i] if n == 0 else n for i, n in enumerate(self.dims)]
        old, sizes = list(x[start:end]), [n for n in new if n != -1]
        for size in [n for n in sizes if n in old]:  # cancels, whatever it is
            if size in old:
                old.remove(size)
                sizes.remove(size)
        if -1 in self.dims:
            new[self.dims.index(-1)] = self._left_over(product(old), product(sizes))
        else:
            self.require(product(sizes), product(old), "count of the new axes")
        return [(*x[:start], *new, *x[end:])]

    def _left_over(self, count: Size, divisor: Size) -> Size:
        """The size that -1 stands for."""
        if isinstance(divisor, int) and (divisor == 0 or (isinstance(count, int) and count % divisor)):
            raise ShapeError(
                f"{count} numbers do not fill shape {self.dims}", layer=self, expected=f"a multiple of {divisor}"
            )
        return count // divisor

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (shape,) = self.shapes([bottoms[0].shape])
        return [bottoms[0].reshape([int(n) for n in shape if isinstance(n, int)])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        start, end = self._range(len(x.shape))
        (shape,) = self.shapes([x.shape])
        if shape == x.shape:
            return [x]
        sizes = shape[start : start + len(self.dims)]
        new = [n if isinstance(n, int) else self.dims[i] for i, n in enumerate(sizes)]
        # a 0 copies the axis of the bottom at its own place; where that is another one, its size is spelt out
        shift = len(self.dims) - (end - start)
        rest = [op.size(x, i) if shift else 0 for i in range(end, len(x.shape))]
        return [op.reshape(x, [0] * start, new, *rest)]

    def reach(self, bottoms: Shapes) -> Reaches:
        (x,) = bottoms
        return [[SAME] * (len(x) - 2) if tuple(self.shapes(bottoms)[0]) == tuple(x) else ()]

    def unchanged(self, params: Message, rank: int) -> Message:
        shape = Message("BlobShape", (Field("dim", 0),) * rank)
        return params.with_fields(Field("reshape_param", Message("ReshapeParameter", (Field("shape", shape),))))
