"""GradientScaler: nothing, but for gradients (domain adaptation turns them round)."""

from .core import LayerType, Params


class GradientScaler(LayerType):
    """y = x; in training its gradient is scaled by how far training has come.

    Shapes: any.
    Source: gradient_scaler_layer.cpp of ddtm/caffe (grl), and of its descendants
    """

    types = ("GradientScaler",)
    is_identity = True
    shares_memory = True
    scope = "number"
    note = "by formula"

    def read(self, p: Params) -> None:
        p.ignore("gradient_scaler_param", why="it steers gradients")
