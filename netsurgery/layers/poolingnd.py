"""PoolingND: Pooling over any number of axes, in a message of its own."""

from .pooling import Pooling


class PoolingND(Pooling):
    """Pooling's formula; padding of any axis leaves out last windows of all of them.

    Source: pooling_nd_layer.cpp of DlutMedimgGroup/MouseCTSegmentation
    """

    types = ("PoolingND",)
    message = "pooling_nd_param"
    together = True
    each = True
