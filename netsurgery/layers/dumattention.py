"""The Python layers rpn.dumlayer and rpn.dummylayer: attention to channels."""

from .core import Arrays, Op, Shapes, Tensors
from .shared.python_layers import NoSettings
from .silence import Silence

CHANNELS, SIDE = 512, 14


class ChannelAttention(NoSettings):
    """The second top, if any, is w x, each channel times its weight, the first its mean over the channels.

    Shapes: w (N, 512, 1), x (N, 512, 14, 14) -> (N, 1, 14, 14), (N, 512, 14, 14).
    Source: september618/cfa_final, lib/rpn/dumlayer.py
    """

    types = ("Python:rpn.dumlayer.dumLayer",)
    bottoms = (2, 2)
    tops = (1, 2)
    note = "by formula, of september618/cfa_final"

    def shapes(self, bottoms: Shapes) -> Shapes:
        w, x = bottoms
        self.rank(w, 3, "bottom 0")
        self.rank(x, 4, "bottom 1")
        axes = ("items", "channels", "height", "width")
        self.require_alike(w, (w[0], CHANNELS, 1), "bottom 0", axes)
        self.require_alike(x, (w[0], CHANNELS, SIDE, SIDE), "bottom 1", axes)
        return [(w[0], 1, SIDE, SIDE), x][: self.top_count]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        w, x = bottoms
        y = w[..., None] * x
        return [y.mean(axis=1, keepdims=True), y][: self.top_count]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        w, x = bottoms
        y = op("Mul", op("Unsqueeze", w, op.ints(3)), x)
        mean = op("ReduceMean", y, axes=(1,)) if op.opset < 18 else op("ReduceMean", y, op.ints(1))
        return [mean, y][: self.top_count]


class DummyLayer(NoSettings, Silence):
    """No tops, and it does nothing with its bottoms.

    Source: september618/cfa_final, lib/rpn/dummylayer.py
    """

    types = ("Python:rpn.dummylayer.dummyLayer",)
    bottoms = (0, None)
    note = "by formula, of september618/cfa_final: has no tops"
