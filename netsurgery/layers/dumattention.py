"""The Python layers rpn.dumlayer and rpn.dummylayer: attention to channels."""

from __future__ import annotations

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors
from .shared.python_layers import no_settings
from .silence import Silence

CHANNELS, SIDE = 512, 14


class ChannelAttention(LayerType):
    """The second top, if any, is w x, each channel times its weight, the first its mean over the channels.

    Shapes: w (N, 512, 1), x (N, 512, 14, 14) -> (N, 1, 14, 14), (N, 512, 14, 14).
    Source: september618/cfa_final, lib/rpn/dumlayer.py
    """

    types = ("Python:rpn.dumlayer.dumLayer",)
    bottoms = (2, 2)
    tops = (1, 2)
    note = "by formula, of september618/cfa_final"

    def read(self, p: Params) -> None:
        no_settings(p)

    def shapes(self, bottoms: Shapes) -> Shapes:
        w, x = bottoms
        self.rank(w, 3, "bottom 0")
        self.rank(x, 4, "bottom 1")
        n = w[0]
        for bottom, sizes, name in ((w, (n, CHANNELS, 1), "0"), (x, (n, CHANNELS, SIDE, SIDE), "1")):
            for size, expected, what in zip(bottom, sizes, ("items", "channels", "height", "width"), strict=False):
                self.require(size, expected, f"{what} of bottom {name}")
        return [(n, 1, SIDE, SIDE), x][: self.top_count]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        w, x = bottoms
        y = w[..., None] * x
        return [y.mean(axis=1, keepdims=True), y][: self.top_count]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w, x = bottoms
        y = op("Mul", op("Unsqueeze", w, op.ints(3)), x)
        mean = op("ReduceMean", y, axes=(1,)) if op.opset < 18 else op("ReduceMean", y, op.ints(1))
        return [mean, y][: self.top_count]


class DummyLayer(Silence):
    """No tops, and it does nothing with its bottoms.

    Source: september618/cfa_final, lib/rpn/dummylayer.py
    """

    types = ("Python:rpn.dummylayer.dummyLayer",)
    bottoms = (0, None)
    note = "by formula, of september618/cfa_final: has no tops"

    def read(self, p: Params) -> None:
        no_settings(p)
