"""SimpleCrop: height and width cut to those of another blob."""

from .core import Params, Shapes
from .crop import Crop


class SimpleCrop(Crop):
    """y = x[:, :, : height of ref, : width of ref]

    Shapes: x (N, C, H, W), ref (.., .., h, w) -> (N, C, h, w).
    Source: simple_crop_layer.cpp of a pull request to BVLC Caffe
    """

    types = ("SimpleCrop",)

    def read(self, p: Params) -> None:
        self.from_axis, self.offset = 2, ()

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.ranks(bottoms, 4, ("the first bottom", "the second bottom"))
        return super().shapes(bottoms)
