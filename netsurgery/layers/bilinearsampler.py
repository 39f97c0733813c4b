"""The Python layer bilinear_sampler_layer.BilinearSamplerLayer: several views, each moved by its flow."""

import numpy as np

from .core import SAME, WHOLE, Arrays, Op, Reaches, ShapeError, Shapes, Tensors
from .shared.python_layers import NoSettings
from .shared.remap import remap
from .shared.remap_onnx import emit_places, emit_remap


class BilinearSampler(NoSettings):
    """The flow has two channels for each of F views: how far down, for all, then how far right. View i is channels i c .. i c + c - 1 of
    the image, c being 3 or 1:

        y[i, :, row, column] = x[i] at row + flow[i], column + flow[i + F]

    between four pixels in steps of 1/32; outside, the edge repeats where c is 3, the whole view where it is 1.

    Shapes: image (N, F c, H, W), flow (N, 2 F, H, W) -> (N, F c, H, W).
    Source: JunhyeongBak/Caffe_Light_Field, layers/bilinear_sampler_layer.py
    """

    types = ("Python:bilinear_sampler_layer.BilinearSamplerLayer",)
    bottoms = (2, 2)
    note = "of Caffe_Light_Field"

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, flow = bottoms
        self.ranks(bottoms, 4, ("the image", "the flow"))
        for axis, what in ((0, "batch"), (2, "height"), (3, "width")):
            self.require(flow[axis], x[axis], f"{what} of the flow")
        if (
            isinstance(x[1], int)
            and isinstance(flow[1], int)
            and (flow[1] % 2 or x[1] * 2 not in (flow[1], 3 * flow[1]))
        ):
            raise ShapeError(
                f"{x[1]} channels of the image, {flow[1]} of the flow",
                layer=self,
                expected="for each two channels of the flow 1 or 3 of the image",
            )
        return [x]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, flow = bottoms
        (n, _, h, w), views = x.shape, flow.shape[1] // 2
        shift = flow.astype(np.float32)  # it decides which pixels count
        u = (shift[:, views:] + np.arange(w, dtype=np.float32)).reshape(-1, h, w)
        v = (shift[:, :views] + np.arange(h, dtype=np.float32)[:, None]).reshape(-1, h, w)
        planes = x.reshape(n * views, -1, h, w)
        return [remap(planes, u, v, wrap=planes.shape[1] == 1).reshape(x.shape)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, flow = bottoms
        channels, views = op.size(x, 1), op("Div", op.size(flow, 1), op.ints(2))
        h, w = op.size(x, 2), op.size(x, 3)
        down, right = op.many(2, "Split", flow, op.ints(views, views), axis=1)
        columns, rows = emit_places(op, x)
        u, v = (op.reshape(op("Add", shift, place), -1, 1, h, w) for shift, place in ((right, columns), (down, rows)))
        planes = op.reshape(x, -1, op("Div", channels, views), h, w)
        alone = op("Equal", channels, views)
        y = emit_remap(op, planes, u, v, wrap=alone if alone.value is None else bool(alone.value.item()))
        return [op.reshape(y, -1, channels, h, w)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * 2, [SAME] * 2]
