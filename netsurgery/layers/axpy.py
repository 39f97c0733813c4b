"""Axpy: a blob with its channels scaled, added to another (squeeze and excitation)."""

from .core import SAME, Arrays, LayerType, Op, Reaches, ShapeError, Shapes, Tensors


class Axpy(LayerType):
    """y[n, c, ...] = a[n, c] x[n, c, ...] + b[n, c, ...], the bottoms being a, x, b.

    Shapes: x and b (N, C, ...), up to 4 axes; a (N, C) or (N, C, 1, ..).
    Source: axpy_layer.cpp of hujie-frank/SENet
    """

    types = ("Axpy",)
    gives_features = True
    bottoms = (3, 3)
    mixes = "takes one factor for all positions of a channel"

    def shapes(self, bottoms: Shapes) -> Shapes:
        a, x, b = bottoms
        if len(a) < 2 or not 2 <= len(x) <= 4 or len(b) != len(x):
            raise ShapeError(
                f"bottoms of {len(a)}, {len(x)} and {len(b)} axes",
                layer=self,
                expected="(N, C, 1, 1), (N, C, H, W) and (N, C, H, W)",
            )
        self.require_alike(a, (*x[:2], *(1,) * (len(a) - 2)), "the first bottom")
        self.require_alike(b, x, "the third bottom")
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, x, b = bottoms
        return [a.reshape(*x.shape[:2], *(1,) * (x.ndim - 2)) * x + b]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, x, b = bottoms
        if len(a.shape) != len(x.shape):
            a = op.reshape(a, 0, 0, (1,) * (len(x.shape) - 2))
        return [op("Add", op("Mul", a, x), b)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [(), *([SAME] * (len(x) - 2) for x in bottoms[1:])]
