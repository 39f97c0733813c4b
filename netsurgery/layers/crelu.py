"""CReLU: what is positive and what is negative, side by side."""

import numpy as np

from .core import NOWHERE, Arrays, LayerType, Message, Op, Params, Reaches, Shapes, Tensors


class CReLU(LayerType):
    """y = relu(x), relu(-x), one behind the other along `concat_axis` (1); relu(v) = max(v, 0) + negative_slope * min(v, 0).

    Shapes: as the bottom's, the axis twice as long.
    Source: crelu_layer.cpp of Cambricon's caffe
    """

    types = ("CReLU",)
    gives_features = True
    scope = "channels"
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("crelu_param")
        self.slope = q.get_float("negative_slope", 0.0)
        self.along = q.get_int("concat_axis", 1)

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        axis = self.axis(self.along, len(x))
        return [(*x[:axis], 2 * x[axis], *x[axis + 1 :])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        both = np.concatenate([bottoms[0], -bottoms[0]], axis=self.axis(self.along, len(bottoms[0].shape)))
        return [np.maximum(both, 0) + both.dtype.type(self.slope) * np.minimum(both, 0)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        both = op("Concat", bottoms[0], op("Neg", bottoms[0]), axis=self.axis(self.along, len(bottoms[0].shape)))
        return [op("Relu", both) if self.slope == 0 else op("LeakyRelu", both, alpha=self.slope)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return self.reach_but(bottoms, self.along, NOWHERE)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if self.axis(self.along, len(bottoms[0])) != 1:
            raise self.refusal(f"works along axis {self.along}, not over the channels")
        if self.along == 1:
            return params
        raise self.refusal(f"counts its axis {self.along} from the end")
