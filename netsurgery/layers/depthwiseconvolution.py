"""DepthwiseConvolution: an ordinary Convolution, whose group is that of the file."""

from .convolution import Convolution


class DepthwiseConvolution(Convolution):
    """Convolution's formula, shapes and blobs; the forks only compute it faster. Without `group` it is dense, as on their CPU.

    Source: depthwise_conv_layer.cpp of eric612/MobileNet-YOLO
    """

    types = ("DepthwiseConvolution",)
