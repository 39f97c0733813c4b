"""Noise: nothing, once a net is trained."""

from .core import Elementwise, Params


class Noise(Elementwise):
    """y = x: happynear's adds numbers drawn at random in the TRAIN phase alone.

    Shapes: any.
    Source: noise_layer.cpp of happynear/caffe-windows
    """

    types = ("Noise",)
    is_identity = True
    note = "by formula; that of naibaf7's Caffe, which draws in the TEST phase, too, is refused by its fields"

    def read(self, p: Params) -> None:
        q = p.message("noise_param")
        for name in ("mu", "sigma"):
            if q.has(name):
                raise q.refuse(
                    name,
                    f"{name} is of naibaf7's Noise, which draws at random in the TEST phase, too",
                    expected="gaussian_std or uniform_range",
                    fix="remove the layer: its mean is no noise",
                )
        q.ignore("gaussian_std", "uniform_range", "bias", why="they say what happens in the TRAIN phase")
