"""Silence and HDF5Output: layers that only consume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .caffe2.operators import Operators
from .core.dims import Shape
from .core.layer_type import Array, Graph, LayerType, Tensor
from .core.params import Params


class Silence(LayerType):
    """No tops: keeps its bottoms from being outputs of the net.

    Source: silence_layer.cpp
    """

    types = ("Silence",)
    bottoms: ClassVar[tuple[int, int | None]] = (1, None)
    tops = (0, 0)
    scope = "number"

    def shapes(self, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        return []

    def forward(self, bottoms: Sequence[Array], weights: Sequence[Array]) -> Sequence[Array]:
        return []

    def emit(self, op: Graph, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
        return []

    def emit_caffe2(self, op: Operators, bottoms: Sequence[Tensor], weights: Sequence[Array]) -> Sequence[Tensor]:
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
