"""BReLU: values kept between two bounds."""

from .clip import Clip
from .core import Params


class BReLU(Clip):
    """y = min(max(x, minval), maxval)

    Without the fields the bounds are 0 and 1, as in DehazeNet's net of that name.

    Shapes: any.
    Source: brelu_layer.cpp of Cai's DehazeNet, in many forks
    """

    types = ("BReLU",)
    note = "by formula"

    def read(self, p: Params) -> None:
        q = p.message("brelu_param")
        self.least, self.most = q.get_float("minval"), q.get_float("maxval")
