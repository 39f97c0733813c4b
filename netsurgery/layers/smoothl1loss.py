"""SmoothL1Loss: squares of small differences, absolute values of large ones."""

import numpy as np

from .caffe2.losses import alike, count, total
from .core import Arrays, Op, Params, ShapeError, Shapes, Tensors
from .shared.emission import scaled
from .shared.losses import Loss, emit_alike, emit_count, emit_mean


class SmoothL1Loss(Loss):
    """y = sum f(w (a - b)) / N, f(d) = d^2 / 2 if |d| < 1, else |d| - 1/2; w is the third bottom, if there is one.

    Fast R-CNN's form: f(d) = sigma^2 d^2 / 2 if |d| < 1 / sigma^2, else |d| - 1 / (2 sigma^2); a fourth bottom
    weighs f.

    Shapes: bottoms of one shape, up to 4 axes -> ().
    Source: smooth_L1_loss_layer.cpp of SSD and of py-faster-rcnn
    """

    types = ("SmoothL1Loss",)
    scope = "channels"
    bottoms = (2, 4)
    note = "SSD's; Fast R-CNN's sigma and fourth bottom by formula"

    def read(self, p: Params) -> None:
        q = p.message("smooth_l1_loss_param")
        self.sigma = q.get_float("sigma")
        self.fast_rcnn = q.has("sigma")
        loss = p.message("loss_param")
        if loss.has("normalization") or loss.has("normalize"):  # SSD divides by N whatever it says, R-FCN obeys it
            name = "normalization" if loss.has("normalization") else "normalize"
            mode = loss.get_str("normalization") if loss.has("normalization") else str(loss.get_bool("normalize"))
            if mode not in ("BATCH_SIZE", "False"):
                raise loss.refuse(
                    name, f"{name} is {mode}", expected="BATCH_SIZE", fix="remove the field: the SSD branch ignores it"
                )
        if self.sigma <= 0:
            raise q.refuse("sigma", f"sigma is {self.sigma:g}", expected="a positive number")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.same_items(bottoms)
        if len(bottoms) == 3 and self.fast_rcnn:
            raise ShapeError(
                "3 bottoms and smooth_l1_loss_param { sigma }",
                layer=self,
                expected="2 bottoms, or 4: weights inside and outside",
            )
        first = self.four(bottoms[0], "bottom 0")
        for i, b in enumerate(bottoms[1:], 1):
            axes = ("num", "channels", "height", "width")
            self.require_alike(self.four(b, f"bottom {i}"), first, f"bottom {i}", axes)
        return [()]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        a, b, *weighs = (x.ravel() for x in bottoms)
        square = a.dtype.type(self.sigma) ** 2
        d = (a - b) * weighs[0] if weighs else a - b
        f = np.where(np.abs(d) < 1 / square, square * d * d / 2, np.abs(d) - 1 / square / 2)
        return [(f * weighs[1] if len(weighs) > 1 else f).sum() / a.dtype.type(len(bottoms[0]))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        a, b, *weighs = emit_alike(op, *bottoms)
        d = op("Sub", a, b)
        size = op("Abs", op("Mul", d, weighs[0]) if weighs else d)
        # with m = min(sigma^2 |d|, 1) both branches are m (|d| - m / (2 sigma^2))
        square = self.sigma**2
        m = op("Min", scaled(op, size, square), op.const(1.0))
        f = op("Mul", m, op("Sub", size, op("Mul", m, op.const(0.5 / square))))
        if len(weighs) > 1:
            f = op("Mul", f, weighs[1])
        return [emit_mean(op, op("ReduceSum", f, keepdims=0), emit_count(op, bottoms[0], [0]))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (a, b, *weighs), rank = alike(op, *bottoms)
        d = op("Sub", a, b)
        size, square = op("Abs", op("Mul", d, weighs[0]) if weighs else d), self.sigma**2
        m = op("Clip", scaled(op, size, square), min=0.0, max=1.0)  # as in `emit`
        f = op("Mul", m, op("Sub", size, op("Mul", m, op.const(0.5 / square))))
        f = op("Mul", f, weighs[1]) if len(weighs) > 1 else f
        return [op("Div", total(op, f, rank), count(op, bottoms[0], [0]))]
