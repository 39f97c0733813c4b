"""What recurrent layers share: bottoms and blobs of BVLC's RNN and LSTM, and loops over time as ONNX Scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from ...message import Message
from ..caffe2.operators import full
from ..core import Array, Arrays, LayerType, Op, Params, Shape, ShapeError, Shapes, Size, Tensor, Tensors, product
from ..core.aliases import Rng, Sample, Sizes
from ..core.layer_type import with_field

Step = Callable[..., Tensors]
"""(op, gates of x at one time (N, G), continuation (N, 1), *states (N, H)) -> the next states."""


MOST_STEPS = 32
"""Up to so many steps stand one after the other."""


def indicators_shape(index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
    """What the indicators, the second bottom, must be: one for each time step and stream of the first."""
    x = bottoms[0]
    return x[:2] if index == 1 and x is not None else None


class Recurrent(LayerType):
    """The bottoms of BVLC's recurrent layers: x, the continuation indicators (0 where a sequence begins), a static input if there is one
    more than needed, and with `expose_hidden` the states before the first step; with it the last states are tops too.

    Without `expose_hidden` the states before the first step are zero, as in a net that was just loaded or reset: what Caffe keeps of them
    is the layer's `memory`.

    Shapes: x (T, N, ...), indicators (T, N), static (N, ...), states (1, N, num_output) -> (T, N, num_output), (1, N, num_output) each.
    Source: recurrent_layer.cpp
    """

    mixes = "takes the first axis of its bottom for time and the second for the batch"
    bottoms = (2, 5)
    tops = (1, 3)
    note = "the state is kept from one call to the next where it is asked for: --recurrent-state"

    states: ClassVar[int]
    gates: ClassVar[int]
    """How many values of a step's input each unit has."""

    def read(self, p: Params) -> None:
        q = p.message("recurrent_param")
        self.num_output = q.get_positive("num_output")
        self.expose_hidden = q.get_bool("expose_hidden")
        self.memory = () if self.expose_hidden else ("h", "c")[: self.states]
        q.ignore("debug_info", why="logs")
        w, b = q.filler("weight_filler"), q.filler("bias_filler")
        static = self.bottom_count > 2 + self.states * self.expose_hidden
        self.fillers = w, b, *(w,) * static, w, w, b  # LSTM has no output matrix: it takes the first of them

    def bottom_shape(self, index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
        return indicators_shape(index, bottoms)

    def memory_shapes(self, bottoms: Shapes) -> Shapes:
        return [(1, bottoms[0][1], self.num_output)] * len(self.memory)

    def exposed(self, params: Message) -> Message:
        return with_hidden(params)

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        matrices = [product(blob) for blob in self.weight_shapes(bottoms) if len(blob) == 2]
        once = matrices.pop(1) if self.static(bottoms) else 0
        steps, streams = bottoms[0][:2]
        return steps * streams * sum(matrices, 0) + streams * once

    def static(self, bottoms: Sequence[Any]) -> bool:
        """Whether the third bottom is a static input."""
        least = 2 + self.states * self.expose_hidden
        if len(bottoms) not in (least, least + 1):
            raise ShapeError(
                f"{len(bottoms)} bottoms",
                layer=self,
                expected=f"{least} or {least + 1}: x, indicators, a static input or not"
                + (f", {self.states} states" if self.expose_hidden else ""),
            )
        return len(bottoms) > least

    def input_shapes(self, bottoms: Shapes) -> list[Shape]:
        """Shapes of the blobs that x and the static input are multiplied with."""
        width = self.gates * self.num_output
        blobs: list[Shape] = [(width, product(bottoms[0][2:])), (width,)]
        return [*blobs, (width, product(bottoms[2][1:]))] if self.static(bottoms) else blobs

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, cont = bottoms[:2]
        static = self.static(bottoms)
        for i, least in ((0, 3), (2, 2))[: 1 + static]:
            if len(bottoms[i]) < least:
                self.rank(bottoms[i], least, f"bottom {i}")
        self.rank(cont, 2, "bottom 1")
        self.require(cont[0], x[0], "time steps of the indicators (bottom 1)")
        self.require(cont[1], x[1], "streams of the indicators (bottom 1)")
        if static:
            self.require(bottoms[2][0], x[1], "streams of the static input (bottom 2)")
        state: Shape = (1, x[1], self.num_output)
        for i in range(2 + static, len(bottoms)):
            self.rank(bottoms[i], 3, f"bottom {i}")
            self.require_alike(bottoms[i], state, f"the state (bottom {i})", ["a size"] * 3)
        return [(x[0], x[1], self.num_output), *[state] * (self.states * self.expose_hidden)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, cont = bottoms[:2]
        static = self.static(bottoms)
        t, n = cont.shape
        gates = x.reshape(t, n, -1) @ weights[0].T + weights[1]
        if static:
            gates = gates + bottoms[2].reshape(n, -1) @ weights[2].T
        first = [b[0] for b in bottoms[2 + static :]] or [np.zeros((n, self.num_output), x.dtype)] * self.states
        y, last = self.steps(gates, cont, first, weights[2 + static :])
        return [y, *(s[None] for s in last)][: 1 + self.states * self.expose_hidden]

    def steps(self, gates: Array, cont: Array, states: Arrays, weights: Arrays) -> tuple[Array, Arrays]:
        """The top and the last states, from what x gives to each step (T, N, gates * num_output)."""
        raise NotImplementedError

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.uniform(0, 1, shapes[1]) < 0.8 if index == 1 else None

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, cont = bottoms[:2]
        static = self.static(bottoms)
        if len(x.shape) > 3:
            x = op.reshape(x, 0, 0, weights[0].shape[1], shape=(*x.shape[:2], weights[0].shape[1]))
        states = bottoms[2 + static :]
        if not static and follows_on(cont.numbers, exposed=self.expose_hidden):
            y, *last = self.emit_whole(op, x, states or None, weights)
        else:
            shift = op.weight(weights[1], "bias")
            if static:
                flat = bottoms[2] if len(bottoms[2].shape) == 2 else op("Flatten", bottoms[2], axis=1)
                shift = op("Gemm", flat, op.weight(weights[2], "static"), shift, transB=1)
            gates = op("Add", op("MatMul", x, op.weight(np.ascontiguousarray(weights[0].T), "weight")), shift)
            h = op.weight(weights[2 + static], "recurrent")
            first = [op("Squeeze", s, op.ints(0)) for s in states] or zeros(op, x, self.num_output) * self.states
            y, *last = emit_scan(op, self.step(h), x.shape[0], gates, op("Unsqueeze", cont, op.ints(2)), first)
            if self.expose_hidden:
                last = [op("Unsqueeze", s, op.ints(0)) for s in last]
        return [self.emit_top(op, y, weights[3 + static :]), *last[: self.states * self.expose_hidden]]

    def prepared_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> tuple[Tensor, Tensor, Tensors]:
        """What x and the static input give to each step (T, N, G), the indicators (T, N, 1), the first states (N, H)."""
        x, cont = bottoms[:2]
        static = self.static(bottoms)
        gates = op("FC", x, op.weight(weights[0], "x_w"), op.weight(weights[1], "b"), axis=2)
        if static:
            zeros = op.const(np.zeros(len(weights[2])))
            gates = op("Add", gates, op("FC", bottoms[2], op.weight(weights[2], "s_w"), zeros))
        states = [op("Squeeze", s, dims=(0,)) for s in bottoms[2 + static :]]
        first = states or [full(op, 0.0, op.size(x, 1), self.num_output)] * self.states
        return gates, op("ExpandDims", cont, dims=(2,)), first

    def step(self, recurrent: Tensor) -> Step:
        """One step as ONNX nodes, `recurrent` being the matrix that the last states are multiplied with."""
        raise NotImplementedError

    def emit_whole(self, op: Op, x: Tensor, states: Tensors | None, weights: Arrays) -> Tensors:
        """All steps by ONNX's own operator, for sequences that begin at the first step and do not end."""
        raise NotImplementedError

    def emit_top(self, op: Op, y: Tensor, weights: Arrays) -> Tensor:
        return y


def with_hidden(params: Message) -> Message:
    """The parameters with `expose_hidden`."""
    return with_field(params, "recurrent_param", "expose_hidden", True)


def follows_on(cont: Any, exposed: bool) -> bool:
    """Whether it is known that every step continues the one before it, the first its state."""
    if cont is None:
        return False
    return bool((cont[1:] == 1).all() and (not exposed or (cont[:1] == 1).all()))


def zeros(op: Op, x: Tensor, units: int) -> list[Tensor]:
    """[zeros (N, units)] for x (T, N, ...)."""
    n: Size = x.shape[1]
    if isinstance(n, int):
        return [op.const(np.zeros((n, units)))]
    return [op("Expand", op.const(np.zeros((1, units))), op.ints(op.size(x, 1), units))]


def emit_scan(op: Op, step: Step, steps: Size, gates: Tensor, cont: Tensor, first: Tensors) -> tuple[Tensor, ...]:
    """(top, *last states): `step` along the first axis, of size `steps`; the top is the first state after each step. Few steps, of a
    known number, stand one after the other: many runtimes have no Scan, and onnxruntime is no slower."""
    if isinstance(steps, int) and steps <= MOST_STEPS:
        states, tops = list(first), []
        for t in range(steps):
            here = [op("Gather", x, op.const(t, "int64"), axis=0) for x in (gates, cont)]
            states = list(step(op, *here, *states))
            tops.append(op("Unsqueeze", states[0], op.ints(0)))
        return (op("Concat", *tops, axis=0) if steps > 1 else tops[0], *states)

    def build(inner: Op, *tensors: Tensor) -> Tensors:
        states = step(inner, *tensors[len(first) :], *tensors[: len(first)])
        return [*states, states[0]]

    names = [*("h", "c")[: len(first)], "gates", "cont"]
    *last, y = op.many(len(first) + 1, "Scan", *first, gates, cont, body=op.body(build, names), num_scan_inputs=2)
    return (y, *last)


def lstm_step(recurrent: Tensor, units: int) -> Step:
    """The step of an LSTM with gates in the order i, f, o, g."""

    def step(op: Op, gates: Tensor, cont: Tensor, h: Tensor, c: Tensor) -> Tensors:
        total = op("Gemm", op("Mul", h, cont), recurrent, gates, transB=1)
        three, g = op.many(2, "Split", total, op.ints(3 * units, units), axis=1)
        i, f, o = op.many(3, "Split", op("Sigmoid", three), op.ints([units] * 3), axis=1)
        memory = op("Mul", op("Mul", f, cont), c)
        c = op("Add", memory, op("Mul", i, op("Tanh", g)))
        return [op("Mul", o, op("Tanh", c)), c]

    return step


def emit_lstm(
    op: Op,
    x: Tensor,
    states: Tensors | None,
    weight: Array,
    recurrent: Array,
    bias: Array,
) -> tuple[Tensor, ...]:
    """(top, h, c) by ONNX's LSTM; x (T, N, I), states (1, N, H). Its gates stand in the order i, o, f, g, here in the order i, f, o, g."""
    units = recurrent.shape[1]

    def ordered(blob: Array) -> Array:
        return blob.reshape(4, units, -1)[[0, 2, 1, 3]].reshape(blob.shape)

    y, h, c = op.many(
        3,
        "LSTM",
        x,
        op.weight(ordered(weight)[None], "weight"),
        op.weight(ordered(recurrent)[None], "recurrent"),
        op.weight(np.concatenate([ordered(bias), np.zeros_like(bias)])[None], "bias"),
        None,
        *(states or ()),
        hidden_size=units,
    )
    return op("Squeeze", y, op.ints(1)), h, c
