"""Reverse: axes read backwards."""

import numpy as np

from .caffe2.operators import turned
from .core import SAME, WHOLE, Arrays, LayerType, Message, Op, Params, Reaches, Shapes, Tensors
from .flip import backwards


class Reverse(LayerType):
    """y is x with `axis` (0) backwards; Synopsys's layer takes several axes.

    Shapes: any.
    Source: reverse_layer.cpp of senlinuc/caffe_ocr; of foss-for-synopsys-dwc-arc-processors/synopsys-caffe for several axes
    """

    types = ("Reverse",)
    mixes = "reads an axis of a map backwards"

    def read(self, p: Params) -> None:
        self.along = p.message("reverse_param").get_ints("axis") or (0,)

    def _axes(self, rank: int) -> list[int]:
        return sorted({self.axis(axis, rank) for axis in self.along})

    def shapes(self, bottoms: Shapes) -> Shapes:
        self._axes(len(bottoms[0]))
        return [bottoms[0]]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        return [np.flip(bottoms[0], tuple(self._axes(bottoms[0].ndim)))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return [backwards(op, bottoms[0], self._axes(len(bottoms[0].shape)))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (y,) = bottoms
        for axis in self._axes(len(y.shape)):
            y = turned(op, y, axis)
        return [y]

    def reach(self, bottoms: Shapes) -> Reaches:
        axes = self._axes(len(bottoms[0]))
        return [[WHOLE if axis in axes else SAME for axis in range(2, len(bottoms[0]))]]

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if set(self.along) <= {0, 1}:
            return params
        raise self.refusal(self.mixes)
