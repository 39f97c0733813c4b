"""The Python layer spatial_dropout.SpatialDropoutLayer of ENet."""

import numpy as np

from .core import Array, Arrays, Elementwise, Op, Params, ParamStr, Tensors


class ENetDropout(Elementwise):
    """y = x / (1 - p), outside of training, too: unlike Dropout it does not leave x as it is.

    Shapes: any.
    Source: python/spatial_dropout.py of ENet's Caffe (TimoSaemann/caffe-enet)
    """

    types = ("Python:spatial_dropout.SpatialDropoutLayer",)
    note = "by formula of ENet's module, which scales by 1 / (1 - p) in the TEST phase, too"

    def read(self, p: Params) -> None:
        q = p.message("python_param")
        q.ignore("module", "layer", "share_in_parallel", why="they chose this class")
        values = ParamStr(q.get_str("param_str"), self.title, q.place("param_str")).read()
        if values.get("phase") == "TRAIN":
            raise q.refuse(
                "param_str", "phase TRAIN in param_str: it drops channels at random", expected="'phase': 'TEST'"
            )
        try:
            share = float(values["p"])
        except (KeyError, TypeError, ValueError):
            share = 0.0
        if not 0 < share < 1:
            raise q.refuse(
                "param_str", f"p is {values.get('p', 'not set')} in param_str", expected="a number between 0 and 1"
            )
        self.factor = 1 / (1 - share)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [x * x.dtype.type(self.factor)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [op("Mul", bottoms[0], op.const(self.factor))]

    def affine(self, weights: Arrays) -> tuple[Array, Array] | None:
        return np.asarray(self.factor, np.float64), np.zeros((), np.float64)
