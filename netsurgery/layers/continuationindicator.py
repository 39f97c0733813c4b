"""ContinuationIndicator: says to a recurrent layer that every sequence begins at the first step and goes on."""

import numpy as np

from .core import Arrays, LayerType, Op, Params, Shapes, Tensors


class ContinuationIndicator(LayerType):
    """y[0] = 0, y[t] = 1 for t > 0.

    Shapes: -> (time_step, batch_size), or with a bottom (time_step, its size along `axis` (0)).
    Source: continuation_indicator_layer.cpp of intel/caffe; with a bottom that of jolibrain/caffe
    """

    types = ("ContinuationIndicator",)
    bottoms = (0, 1)
    note = "the form with a bottom by formula"

    def read(self, p: Params) -> None:
        q = p.message("continuation_indicator_param")
        self.steps, self.streams, self.along = q.get_positive("time_step"), q.get_int("batch_size"), q.get_int("axis")
        if self.streams < 1 and not self.bottom_count:
            raise q.refuse("batch_size", f"batch_size is {self.streams}", expected="a positive number, or a bottom")

    def shapes(self, bottoms: Shapes) -> Shapes:
        if bottoms:
            return [(self.steps, bottoms[0][self.axis(self.along, len(bottoms[0]))])]
        return [(self.steps, self.streams)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        y = np.ones((self.steps, bottoms[0].shape[self.along] if bottoms else self.streams), np.float32)
        y[0] = 0
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        begins = op.const((np.arange(self.steps) > 0)[:, None])
        streams = op.size(bottoms[0], self.along) if bottoms else op.ints(self.streams)
        return [op("Expand", begins, op.ints(self.steps, streams))]
