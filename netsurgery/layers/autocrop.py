"""AutoCrop: a Crop whose offset follows from the net, as in longjon's Caffe."""

from .core import Params
from .crop import Crop


class AutoCrop(Crop):
    """y = x[:, :, h0 : h0 + height of ref, w0 : w0 + width of ref]: position (0, 0) of ref lies over (h0, w0) of x, as the windows of the
    layers between both and the blob that they come from say (formats/crops.py makes it a Crop on loading).

    Shapes: x (N, C, H, W), ref (.., .., h, w) -> (N, C, h, w).
    Source: crop_layer.cpp of longjon/caffe; V1's CROP is the same
    """

    types = ("AutoCrop",)
    note = "by formula: its offset follows from the layers before it; becomes a Crop on loading"

    def read(self, p: Params) -> None:
        raise p.refuse(
            "type",
            "its offset follows from the whole net",
            expected="a net that is loaded from its file",
            fix='write it as type: "Crop" with crop_param { axis: 2 offset: ... }',
        )
