"""Reorg: darknet's way of moving pixels into channels."""

from .core import Arrays, LayerType, Op, Params, Reaches, ShapeError, Shapes, Size, Tensors, spread

USUAL_STRIDE = 2
"""That of choasup/caffe-yolo9000; eric612's requires the field."""


class Reorg(LayerType):
    """Blocks of stride x stride pixels become channels (`reverse`: channels become blocks).

    Not as space to depth does it: the numbers of x (C, H, W) are first taken for those of (C / stride^2, H stride, W stride), block
    after block of which gives the numbers of y.

    Shapes: (N, C, H, W) -> (N, C stride^2, H / stride, W / stride); `reverse`: -> (N, C / stride^2, H stride, W stride).
    Source: reorg_layer.cpp (eric612/MobileNet-YOLO; choasup/caffe-yolo9000)
    """

    types = ("Reorg",)
    gives_features = True

    def read(self, p: Params) -> None:
        q = p.message("reorg_param")
        self.stride, self.reverse = q.get_positive("stride", USUAL_STRIDE), q.get_bool("reverse")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        s = self.stride
        self._divides(x[1], s * s, "channels")
        if self.reverse:
            return [(x[0], x[1] // (s * s), x[2] * s, x[3] * s)]
        self._divides(x[2], s, "height")
        self._divides(x[3], s, "width")
        return [(x[0], x[1] * (s * s), x[2] // s, x[3] // s)]

    def _divides(self, size: Size, by: int, what: str) -> None:
        if isinstance(size, int) and size % by:
            raise ShapeError(f"{what} {size}", layer=self, expected=f"a multiple of {by}")

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        n, c, h, w = x.shape
        s = self.stride
        o = c // (s * s)
        if self.reverse:
            return [x.reshape(n, s, s, o, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, o, h * s, w * s)]
        return [x.reshape(n, o, h, s, w, s).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * s * s, h // s, w // s)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        s = self.stride
        if s == 1:
            return [x]
        if self.reverse:
            return [op("DepthToSpace", x, blocksize=s, mode="DCR")]
        c, h, w = (op.size(x, i) for i in (1, 2, 3))
        blocks = op.reshape(x, 0, op("Div", c, op.ints(s * s)), h, s, w, s)
        moved = op("Transpose", blocks, perm=[0, 3, 5, 1, 2, 4])
        return [op.reshape(moved, 0, op("Mul", c, op.ints(s * s)), op("Div", h, op.ints(s)), op("Div", w, op.ints(s)))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        s = self.stride
        if s == 1 or not self.reverse:
            return super().emit_caffe2(op, bottoms, weights)
        c, h, w = (op.size(x, i) for i in (1, 2, 3))
        blocks = op.reshape(x, 0, s, s, op("Div", c, op.ints(s * s)), h, w)
        moved = op("Transpose", blocks, axes=(0, 3, 4, 1, 5, 2))
        return [op.reshape(moved, 0, op("Div", c, op.ints(s * s)), *(op("Mul", n, op.ints(s)) for n in (h, w)))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[spread(self.stride, self.stride, 0)] * 2 if self.reverse else ()]  # else from all over the map
