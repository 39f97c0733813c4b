"""Silence and HDF5Output: layers that only consume."""

from typing import ClassVar

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors


class Silence(LayerType):
    """No tops: keeps its bottoms from being outputs of the net.

    Source: silence_layer.cpp
    """

    types = ("Silence",)
    bottoms: ClassVar[tuple[int, int | None]] = (1, None)
    tops = (0, 0)
    scope = "number"

    def shapes(self, bottoms: Shapes) -> Shapes:
        return []

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return []

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return []


class HDF5Output(Silence):
    """No tops: Caffe writes data and labels into a file, netsurgery nothing.

    Source: hdf5_output_layer.cpp
    """

    types = ("HDF5Output",)
    bottoms = (2, 2)
    training_only = True
    note = "by formula: its bottoms are consumed, no file is written"

    def read(self, p: Params) -> None:
        p.ignore("hdf5_output_param", why="it names the file that Caffe would write")
