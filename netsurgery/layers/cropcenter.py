"""CropCenter: the same number of entries cut off both ends of an axis."""

from .caffe2.operators import part
from .core import Arrays, LayerType, Op, Params, Reach, Reaches, ShapeError, Shapes, Tensors


class CropCenter(LayerType):
    """y = x[c0 : d0 - c0, c1 : d1 - c1, ..], c being `crop_size`, one value for each axis.

    Shapes: (d0, d1, ..) -> (d0 - 2 c0, d1 - 2 c1, ..).
    Source: crop_center_layer.cpp (lltcggie/caffe)
    """

    types = ("CropCenter",)
    gives_features = True

    def read(self, p: Params) -> None:
        self.cut = p.message("crop_center_param").get_ints("crop_size")

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        if len(self.cut) != len(x):
            raise ShapeError(
                f"{len(self.cut)} times crop_size for {len(x)} axes",
                layer=self,
                expected="one for each axis, 0 for those that stay",
            )
        for n, c in zip(x, self.cut, strict=True):
            if isinstance(n, int) and n <= 2 * c:
                raise ShapeError(
                    f"crop_size {c} leaves nothing of {n}", layer=self, expected=f"a size greater than {2 * c}"
                )
        return [tuple(n - 2 * c for n, c in zip(x, self.cut, strict=True))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [x[tuple(slice(c, n - c) for n, c in zip(x.shape, self.cut, strict=True))]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        cut = {axis: c for axis, c in enumerate(self.cut) if c}
        if not cut:
            return [x]
        starts = list(cut.values())
        return [op("Slice", x, op.ints(starts), op.ints([-c for c in starts]), op.ints(list(cut)))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (y,) = bottoms
        for axis, c in enumerate(self.cut):
            y = part(op, y, len(self.cut), axis, c, -1 - c) if c else y
        return [y]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[Reach(1, c, c) for c in self.cut[2:]]]
