"""SpatialDropout: Dropout of whole channels: nothing, once a net is trained."""

from __future__ import annotations

from .core import LayerType, Params


class SpatialDropout(LayerType):
    """y = x

    Shapes: any.
    Source: spatial_dropout_layer.cpp of BVLC/caffe@intel
    """

    types = ("SpatialDropout",)
    gives_features = True
    in_place = True
    is_identity = True
    scope = "number"

    def read(self, p: Params) -> None:
        p.ignore("spatial_dropout_param", "dropout_param", why="the ratio is used in training alone")
