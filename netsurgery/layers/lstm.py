"""LSTM: long short-term memory, over sequences that may begin at any step."""

import numpy as np

from .caffe2.recurrence import lstm_step as lstm_step_caffe2
from .caffe2.recurrence import unroll
from .core import Array, Arrays, Op, Shapes, Tensor, Tensors
from .shared.recurrence import Recurrent, Step, emit_lstm, lstm_step


class LSTM(Recurrent):
    """p = W_x x[t] + W_s static + b + W_h (cont h); i, f, o, g = p, four blocks; sigmoid of i, f and o, tanh of g;
    c = cont f c + i g; h = y[t] = o tanh(c).

    Shapes: see Recurrent; blobs W_x (4 H, K), b (4 H), W_s (4 H, K_s) if there is a static input, W_h (4 H, H).
    Source: lstm_layer.cpp, lstm_unit_layer.cpp
    """

    types = ("LSTM",)
    states, gates = 2, 4

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [*self.input_shapes(bottoms), (4 * self.num_output, self.num_output)]

    def steps(self, gates: Array, cont: Array, states: Arrays, weights: Arrays) -> tuple[Array, Arrays]:
        h, c = states
        y = np.empty((*cont.shape, self.num_output), gates.dtype)
        for t, going in enumerate(cont[:, :, None]):
            p = gates[t] + (going * h) @ weights[0].T
            i, f, o, g = np.split(p, 4, axis=1)
            c = going * _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = y[t] = _sigmoid(o) * np.tanh(c)
        return y, (h, c)

    def step(self, recurrent: Tensor) -> Step:
        return lstm_step(recurrent, self.num_output)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        gates, cont, first = self.prepared_caffe2(op, bottoms, weights)
        units, steps = self.num_output, bottoms[0].shape[0]
        y, states = unroll(op, lstm_step_caffe2(units), gates, cont, weights[-1], first, steps)
        return [y, *(op("ExpandDims", s, dims=(0,)) for s in states)][: 1 + 2 * self.expose_hidden]

    def emit_whole(self, op: Op, x: Tensor, states: Tensors | None, weights: Arrays) -> Tensors:
        return emit_lstm(op, x, states, weights[0], weights[2], weights[1])


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))
