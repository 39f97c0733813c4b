"""Recurrent layers as operators of Caffe2, one set for each time step."""

from __future__ import annotations

from collections.abc import Callable

from ..core import Array, Op, Size, Tensor, Tensors

Step = Callable[[Op, Tensor, Tensor, Tensors], Tensors]
"""(op, gates of x at one time with the recurrent term (N, G), continuation (N, 1), states (N, H)) -> the next states."""


def unroll(
    op: Op, step: Step, gates: Tensor, cont: Tensor, recurrent: Array, first: Tensors, steps: Size
) -> tuple[Tensor, Tensors]:
    """The first state after each step (T, N, H), and the last states. `cont` (T, N, 1) multiplies the states between steps.

    Shapes: gates (T, N, G), first (N, H) each, recurrent (G, H).
    """
    count = op.number(steps)
    matrix = op.weight(recurrent, "h_w")
    states, tops = first, []
    for now, going in zip(each(op, gates, count), each(op, cont, count), strict=True):
        before = op("Mul", states[0], going)
        states = step(op, op("Add", now, op("MatMul", before, matrix, trans_b=1)), going, states)
        tops.append(states[0])
    return op("Concat", *tops, axis=0, add_axis=1), states


def each(op: Op, x: Tensor, count: int) -> list[Tensor]:
    """x[0], x[1], ..."""
    parts = op.many(count, "Split", x, axis=0, split=(1,) * count) if count > 1 else [x]
    return [op("Squeeze", part, dims=(0,)) for part in parts]


def lstm_step(units: int) -> Step:
    """The step of an LSTM with gates in the order i, f, o, g."""

    def step(op: Op, gates: Tensor, going: Tensor, states: Tensors) -> Tensors:
        three, g = op.many(2, "Split", gates, axis=1, split=(3 * units, units))
        i, f, o = op.many(3, "Split", op("Sigmoid", three), axis=1, split=(units,) * 3)
        memory = op("Mul", op("Mul", f, going), states[1])
        c = op("Add", memory, op("Mul", i, op("Tanh", g)))
        return [op("Mul", o, op("Tanh", c)), c]

    return step


def rnn_step(op: Op, gates: Tensor, going: Tensor, states: Tensors) -> Tensors:
    return [op("Tanh", gates)]
