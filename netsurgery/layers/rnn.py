"""RNN: a recurrent net of one hidden layer, over sequences that may begin at any step."""

import numpy as np

from .caffe2.recurrence import rnn_step, unroll
from .core import Array, Arrays, Op, Shapes, Tensor, Tensors
from .shared.recurrence import Recurrent, Step


class RNN(Recurrent):
    """h = tanh(W_h (cont h) + W_x x[t] + W_s static + b); y[t] = tanh(W_o h + b_o).

    Shapes: see Recurrent; blobs W_x (H, K), b (H), W_s (H, K_s) if there is a static input, W_h (H, H), W_o (H, H), b_o (H).
    Source: rnn_layer.cpp
    """

    types = ("RNN",)
    states, gates = 1, 1

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        h = self.num_output
        return [*self.input_shapes(bottoms), (h, h), (h, h), (h,)]

    def steps(self, gates: Array, cont: Array, states: Arrays, weights: Arrays) -> tuple[Array, Arrays]:
        (h,) = states
        hidden = np.empty_like(gates)
        for t, going in enumerate(cont[:, :, None]):
            h = hidden[t] = np.tanh((going * h) @ weights[0].T + gates[t])
        return np.tanh(hidden @ weights[1].T + weights[2]), (h,)

    def step(self, recurrent: Tensor) -> Step:
        def step(op: Op, gates: Tensor, cont: Tensor, h: Tensor) -> Tensors:
            return [op("Tanh", op("Gemm", op("Mul", h, cont), recurrent, gates, transB=1))]

        return step

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        gates, cont, first = self.prepared_caffe2(op, bottoms, weights)
        hidden, out, out_bias = weights[-3:]
        y, states = unroll(op, rnn_step, gates, cont, hidden, first, bottoms[0].shape[0])
        top = op("Tanh", op("FC", y, op.weight(out, "o_w"), op.weight(out_bias, "o_b"), axis=2))
        return [top, *(op("ExpandDims", s, dims=(0,)) for s in states)][: 1 + self.expose_hidden]

    def emit_whole(self, op: Op, x: Tensor, states: Tensors | None, weights: Arrays) -> Tensors:
        y, h = op.many(
            2,
            "RNN",
            x,
            op.weight(weights[0][None], "weight"),
            op.weight(weights[2][None], "recurrent"),
            op.weight(np.concatenate([weights[1], np.zeros_like(weights[1])])[None], "bias"),
            None,
            *(states or ()),
            hidden_size=self.num_output,
        )
        return op("Squeeze", y, op.ints(1)), h

    def emit_top(self, op: Op, y: Tensor, weights: Arrays) -> Tensor:
        product = op("MatMul", y, op.weight(np.ascontiguousarray(weights[0].T), "output"))
        return op("Tanh", op("Add", product, op.weight(weights[1], "output_bias")))
