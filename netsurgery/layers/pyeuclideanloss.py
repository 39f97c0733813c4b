"""The Python layer pyloss.EuclideanLossLayer of Caffe's examples."""

from .core import Arrays, Op, Shapes, Tensors
from .euclideanloss import EuclideanLoss
from .shared.python_layers import NoSettings


class PyEuclideanLoss(NoSettings, EuclideanLoss):
    """As EuclideanLoss: y = sum (a - b)^2 / (2 N), its top having an axis.

    Shapes: two bottoms (N, ...) of equal counts -> (1).
    Source: BVLC/caffe, examples/pycaffe/layers/pyloss.py
    """

    types = ("Python:pyloss.EuclideanLossLayer",)
    tops = (1, 1)
    note = "of BVLC's pycaffe examples"

    def shapes(self, bottoms: Shapes) -> Shapes:
        super().shapes(bottoms)
        return [(1,)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [super().forward(bottoms, weights)[0].reshape(1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op.reshape(super().emit(op, bottoms, weights)[0], 1)]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op.reshape(super().emit_caffe2(op, bottoms, weights)[0], 1)]
