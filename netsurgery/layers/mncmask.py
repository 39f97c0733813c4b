"""The Python layer pylayer.mask_layer.MaskLayer of MNC."""

from .core import Arrays, Op, Shapes, Tensors, product
from .shared.python_layers import NoSettings

SIDE = 21


class MncMask(NoSettings):
    """Rows of 441 numbers as maps of 21 x 21.

    Shapes: (R, 441) -> (R, 1, 21, 21).
    Source: daijifeng001/MNC, lib/pylayer/mask_layer.py
    """

    types = ("Python:pylayer.mask_layer.MaskLayer",)
    note = "of MNC; its configuration's size: 21 x 21"

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.require(product(x[1:]), SIDE * SIDE, "numbers per row")
        return [(x[0], 1, SIDE, SIDE)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [bottoms[0].reshape(-1, 1, SIDE, SIDE)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op.reshape(bottoms[0], -1, 1, SIDE, SIDE)]
