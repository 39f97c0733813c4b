"""Upsample: with one bottom nearest neighbour, with two SegNet's unpooling."""

from .core import Arrays, LayerType, Op, Params, Reaches, Shapes, Tensors, spread
from .shared.unpooling import Unpooling


class Upsample(LayerType):
    """y[i, j] = x[i div scale, j div scale]; with a mask of Pooling as second bottom: unpooling (shared/unpooling.py).

    Shapes: (N, C, H, W) -> (N, C, H scale, W scale).
    Source: upsample_layer.cpp (eric612/MobileNet-YOLO)
    """

    types = ("Upsample",)
    gives_features = True
    note = "one bottom: nearest neighbour; two: SegNet's unpooling, which needs opset 18 where windows overlap"

    @classmethod
    def variant(cls, p: Params, title: str, bottom_count: int) -> type[LayerType]:
        return Unpooling if bottom_count == 2 else cls

    def read(self, p: Params) -> None:
        q = p.message("upsample_param")
        scale = q.get_float("scale", 1.0)
        if not 1 <= scale < 2**31 or scale != int(scale):
            raise q.refuse("scale", f"scale is {scale:g}", expected="a positive whole number")
        self.scale = int(scale)

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        return [(x[0], x[1], x[2] * self.scale, x[3] * self.scale)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [bottoms[0].repeat(self.scale, axis=2).repeat(self.scale, axis=3)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.scale == 1:
            return [x]
        scales = op.const([1, 1, self.scale, self.scale])
        return [
            op(
                "Resize",
                x,
                None,
                scales,
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if self.scale == 1:
            return [x]
        return [op("ResizeNearest", x, height_scale=float(self.scale), width_scale=float(self.scale))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[spread(self.scale, self.scale, 0)] * 2]
