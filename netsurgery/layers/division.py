"""Division: parts of one size, cut out of a map."""

from .caffe2.operators import part
from .core import Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Tensors


class Division(LayerType):
    """y_k = x[:, :, ycoord_k : ycoord_k + height, xcoord_k : xcoord_k + width]

    Shapes: (N, C, H, W) -> (N, C, height, width) for each top.
    Source: division_layer.cpp of JAANet
    """

    types = ("Division",)
    tops = (1, None)

    def read(self, p: Params) -> None:
        q = p.message("division_param")
        self.size = q.get_int("height", 0), q.get_int("width", 0)
        if min(self.size) < 1:
            raise q.refuse("height", f"height and width are {self.size}", expected="positive numbers")
        self.corners = list(zip(q.get_ints("ycoord"), q.get_ints("xcoord"), strict=False))
        if len(self.corners) < self.top_count:
            raise q.refuse(
                "ycoord",
                f"{len(self.corners)} pairs of ycoord and xcoord for {self.top_count} tops",
                expected="a pair for each top",
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        for corner in self.corners[: self.top_count]:
            for n, start, size in zip(x[2:], corner, self.size, strict=True):
                if isinstance(n, int) and start + size > n:
                    raise ShapeError(
                        f"{size} from {start} on, out of {n}", layer=self, expected="parts inside the bottom"
                    )
        return [(*x[:2], *self.size)] * self.top_count

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,), (h, w) = bottoms, self.size
        return [x[:, :, top : top + h, left : left + w] for top, left in self.corners[: self.top_count]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,), (h, w) = bottoms, self.size
        return [
            op("Slice", x, op.ints(top, left), op.ints(top + h, left + w), op.ints(2, 3))
            for top, left in self.corners[: self.top_count]
        ]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,), (h, w) = bottoms, self.size
        return [
            part(op, part(op, x, 4, 2, top, top + h), 4, 3, left, left + w)
            for top, left in self.corners[: self.top_count]
        ]

    def reach(self, bottoms: Shapes) -> Reaches:
        ends = list(zip(*self.corners[: self.top_count], strict=True))
        return [[Reach(1, min(starts), max(starts)) for starts in ends]]
