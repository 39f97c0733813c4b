"""HyperColumns: for each pixel, what every map says at its place."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Size, Tensors, product
from .shared.sampling import linear


class HyperColumns(LayerType):
    """y[(n, i, j)] = all channels of x_1, x_2, .. at pixel (i, j), between the four values around it, pixel middles on middles;
    z[(n, i, j)] = picture[n, :, i, j] / 128 - 1. All pixels in order, as in the TEST phase (`is_train` draws some of them at random).

    Shapes: picture (N, C, H, W), maps (N, C_k, H / f_k, W / f_k) with whole numbers f_k -> (N H W, sum of C_k), (N H W, 3).
    Source: hypercolumns_layer.cpp of Jiang Qinhong
    """

    types = ("HyperColumns",)
    bottoms = (2, None)
    tops = (1, 2)
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("hypercolumns_param")
        if q.get_bool("is_train", False):
            raise q.refuse("is_train", "is_train draws pixels at random", expected="false")

    def shapes(self, bottoms: Shapes) -> Shapes:
        picture = bottoms[0]
        channels: Size = 0
        for i, x in enumerate(bottoms):
            self.rank(x, 4, f"bottom {i}")
            self.require(x[0], picture[0], f"items of bottom {i}")
            channels = channels + (x[1] if i else 0)
            for n, whole in zip(x[2:], picture[2:], strict=True):
                if isinstance(n, int) and isinstance(whole, int) and (n < 1 or whole % n):
                    raise ShapeError(
                        f"bottom {i} has size {n}, the picture {whole}",
                        layer=self,
                        expected="the size of the picture divided by a whole number",
                    )
        places = picture[0] * product(picture[2:])
        return [(places, channels), (places, 3)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        picture, *maps = bottoms
        size = picture.shape[2:]
        columns = []
        for x in maps:
            for axis, whole in enumerate(size, 2):
                n = x.shape[axis]
                x = linear(x, np.clip((np.arange(whole) + 0.5) * n / whole - 0.5, 0, n - 1), axis)
            columns.append(x)
        y, z = np.concatenate(columns, axis=1), picture[:, :3] * picture.dtype.type(1 / 128) - 1
        return [t.transpose(0, 2, 3, 1).reshape(-1, t.shape[1]) for t in (y, z)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        picture, *maps = bottoms
        columns = []
        for x in maps:
            sizes = op.ints(op.size(x, 0), op.size(x, 1), op.size(picture, 2), op.size(picture, 3))
            columns.append(
                op("Resize", x, None, None, sizes, mode="linear", coordinate_transformation_mode="half_pixel")
            )
        y = op("Concat", *columns, axis=1) if len(columns) > 1 else columns[0]
        z = picture if picture.shape[1] == 3 else op("Slice", picture, op.ints(0), op.ints(3), op.ints(1))
        z = op("Sub", op("Mul", z, op.const(1 / 128)), op.const(1.0))
        channels = sum((x.shape[1] for x in maps), 0)
        width = channels if isinstance(channels, int) else op.size(y, 1)
        return [op.reshape(op("Transpose", t, perm=[0, 2, 3, 1]), -1, n) for t, n in ((y, width), (z, 3))]
