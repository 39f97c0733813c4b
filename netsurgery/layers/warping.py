"""The Python layer warping_layer.WarpingLayer: an image moved by a flow."""

import numpy as np

from .core import SAME, WHOLE, Arrays, Op, Reaches, Shapes, Tensors
from .shared.python_layers import NoSettings
from .shared.remap import remap
from .shared.remap_onnx import emit_places, emit_remap


class Warping(NoSettings):
    """y[:, i, j] = x at column j + flow[0], row i + flow[1], between four pixels in steps of 1/32, the edge repeating outside.

    The fork adds the places to its second bottom, which others that read it then see.

    Shapes: image (1, 3, H, W), flow (1, 2, H, W) -> (1, 3, H, W); the fork itself only takes 256 x 256.
    Source: JunhyeongBak/Caffe_Light_Field, layers/warping_layer.py
    """

    types = ("Python:warping_layer.WarpingLayer",)
    bottoms = (2, 2)
    overwrites = (1,)
    note = "by formula, of Caffe_Light_Field; refused where a layer behind it reads its second bottom, which the fork changes"

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, flow = bottoms
        for bottom, name, channels in ((x, "the image", 3), (flow, "the flow", 2)):
            self.rank(bottom, 4, name)
            self.require(bottom[0], 1, f"batch of {name}", fix="one image at a time: the layer takes no more")
            self.require(bottom[1], channels, f"channels of {name}")
        for axis, what in ((2, "height"), (3, "width")):
            self.require(flow[axis], x[axis], f"{what} of the flow")
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, flow = bottoms
        h, w = x.shape[2:]
        shift = flow.astype(np.float32)  # it decides which pixels count
        u, v = shift[:, 0] + np.arange(w, dtype=np.float32), shift[:, 1] + np.arange(h, dtype=np.float32)[:, None]
        return [remap(x, u, v, wrap=False)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, flow = bottoms
        shifts = op.many(2, "Split", flow, op.ints(1, 1), axis=1)
        u, v = (
            op("Add", shift, place, shape=(1, 1, *flow.shape[2:]))
            for shift, place in zip(shifts, emit_places(op, x), strict=True)
        )
        return [emit_remap(op, x, u, v, wrap=False)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * 2, [SAME] * 2]
