"""SpatialDropout: Dropout of whole channels: nothing, once a net is trained."""

from .core import Elementwise, Params


class SpatialDropout(Elementwise):
    """y = x

    Shapes: any.
    Source: spatial_dropout_layer.cpp of BVLC/caffe@intel
    """

    types = ("SpatialDropout",)
    gives_features = True
    is_identity = True

    def read(self, p: Params) -> None:
        p.ignore("spatial_dropout_param", "dropout_param", why="the ratio is used in training alone")
