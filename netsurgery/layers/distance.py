"""The Python layer distance_layer.DistanceLayer: how compact the rows of a batch are."""

from .core import Arrays, Op, Shapes, Tensors
from .shared.emission import magnitude
from .shared.losses import Loss
from .shared.python_layers import NoSettings


class Distance(NoSettings, Loss):
    """y = sum over rows i and columns j of ((x_ij - mean of the other rows in column j) / N)^2

    As the mean of the others is (sum - x_ij) / (N - 1), what is squared is (x_ij N - sum) / (N (N - 1)).

    Shapes: (N, C), N being 2 or more -> (1).
    Source: PramuPerera/DeepOneClass, distance_layer.py
    """

    types = ("Python:distance_layer.DistanceLayer",)
    bottoms = (1, 1)
    tops = (1, 1)
    has_labels = False
    note = "of DeepOneClass"

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 2)
        self.require_least(x[0], 2, "rows, at least")
        return [(1,)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        n = len(x)
        others = (x.sum(axis=0) - x) / (n - 1)
        return [(((x - others) / n) ** 2).sum().reshape(1)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        n = op("Cast", op.size(x, 0), to=1)
        away = op("Sub", op("Mul", x, n), op("ReduceSum", x, op.ints(0), keepdims=1))
        away = op("Div", away, op("Mul", n, op("Sub", n, op.const(1))))
        return [op.reshape(magnitude(op, away), 1)]
