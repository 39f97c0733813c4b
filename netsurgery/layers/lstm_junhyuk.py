"""Lstm: Junhyuk Oh's LSTM, as the OCR forks (CTPN, caffe_ocr) have it. Not BVLC's LSTM: other bottoms, other order of blobs."""

from collections.abc import Sequence

import numpy as np

from .caffe2.operators import cast, full
from .caffe2.recurrence import lstm_step as lstm_step_caffe2
from .caffe2.recurrence import unroll
from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shape, Shapes, Size, Sizes, Tensors, product
from .shared.emission import emit_range
from .shared.recurrence import emit_lstm, emit_scan, lstm_step, zeros


class LstmJunhyuk(LayerType):
    """p = W_i x[t] + b, and W_h h on top where the sequence goes on; i, f, o, g = p, four blocks; sigmoid of i, f and o, tanh of g;
    c = f c + i g, without f c where the sequence begins; h = y[t] = o tanh(c).

    The sequence begins at the first step; with a second bottom, wherever that is 0. It is read at t + n for stream n, as the forks
    do, so that it means something for one stream only. The states before the first step are zero, as in a fresh net; with the second
    bottom the forks keep them: they are the layer's `memory`, or (not in any fork) two more bottoms and tops.

    Of two axes, as in Junhyuk Oh's own Caffe, x holds all steps, `batch_size` (1) streams in each.

    Shapes: x (T, N, ...), clip of T * N values, h, c (1, N, num_output) -> (T, N, num_output), with states the last ones; or (T N, K) ->
        (T N, num_output); W_i (4 H, K), W_h (4 H, H), b (4 H).
    Source: lstm_layer.cu of CTPN, of junhyukoh/caffe-lstm (on the CPU it gives each stream the recurrent term of the first)
    """

    types = ("Lstm",)
    mixes = "takes the first axis of its bottom for time and the second for the batch"
    bottoms = (1, 4)
    tops = (1, 3)
    note = "Junhyuk Oh's, of the OCR forks; the state is kept from one call to the next where it is asked for: --recurrent-state"

    def read(self, p: Params) -> None:
        q = p.message("lstm_param")
        self.num_output = q.get_positive("num_output", 0)
        w, b = q.filler("weight_filler"), q.filler("bias_filler")
        self.fillers = w, w, b
        self.memory = ("h", "c") if self.bottom_count == 2 else ()
        self.only_here = "no Caffe gives its states to an Lstm" if self.bottom_count > 2 else ""
        q.ignore("clipping_threshold", why="cuts gradients")
        self.streams = q.get_int("batch_size")  # of a bottom of three axes the second one

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        x, width = bottoms[0], 4 * self.num_output
        return [(width, product(x[-1:] if len(x) == 2 else x[2:])), (width, self.num_output), (width,)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        x = bottoms[0]
        if len(x) < 2:
            self.rank(x, 3)
        if len(x) == 2:
            self.require(x[0] - x[0] // self.streams * self.streams, 0, f"rows modulo batch_size {self.streams}")
        rows = x[0] if len(x) == 2 else x[0] * x[1]
        for clip in bottoms[1:2]:
            self.require(product(clip), rows, "values of bottom 1 (time steps times streams)")
        state = self._state(bottoms)
        for i, shape in enumerate(bottoms[2:], 2):
            self.rank(shape, 3, f"bottom {i}")
            self.require_alike(shape, state, f"the state (bottom {i})", ["a size"] * 3)
        return [(x[0], self.num_output) if len(x) == 2 else (x[0], x[1], self.num_output), *[state] * len(bottoms[2:])]

    def bottom_shape(self, index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
        x = bottoms[0]
        return (x[:1] if len(x) == 2 else x[:2]) if index == 1 and x is not None else None

    def _state(self, bottoms: Shapes) -> tuple[Size, ...]:
        x = bottoms[0]
        return 1, self.streams if len(x) == 2 else x[1], self.num_output

    def memory_shapes(self, bottoms: Shapes) -> Shapes:
        return [self._state(bottoms)] * len(self.memory)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x = bottoms[0]
        if x.ndim == 2:
            y, *last = self.forward([x.reshape(-1, self.streams, x.shape[1]), *bottoms[1:]], weights)
            return [y.reshape(-1, self.num_output), *last]
        steps, streams = x.shape[:2]
        pre = x.reshape(steps, streams, -1) @ weights[0].T + weights[2]
        h, c = (s[0] for s in bottoms[2:]) if bottoms[2:] else [np.zeros((streams, self.num_output), x.dtype)] * 2
        y = np.empty((steps, streams, self.num_output), x.dtype)
        for t in range(steps):
            on = bottoms[1].ravel()[t : t + streams, None] != 0 if len(bottoms) > 1 else np.full((streams, 1), t > 0)
            p = pre[t] + np.where(on, h @ weights[1].T, 0)
            i, f, o = np.split(1 / (1 + np.exp(-p[:, : 3 * self.num_output])), 3, axis=1)
            c = np.where(on, f * c, 0) + i * np.tanh(p[:, 3 * self.num_output :])
            h = y[t] = o * np.tanh(c)
        return [y, h[None], c[None]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        if len(x.shape) == 2:
            timed = (x.shape[0] // self.streams, self.streams, x.shape[1])
            y, *last = self.emit(op, [op.reshape(x, -1, *timed[1:], shape=timed), *bottoms[1:]], weights)
            return [op.reshape(y, -1, self.num_output), *last]
        flat = x if len(x.shape) == 3 else op.reshape(x, 0, 0, weights[0].shape[1])
        if len(bottoms) == 1:
            return [emit_lstm(op, flat, None, *weights)[0]]
        first = [op("Squeeze", s, op.ints(0)) for s in bottoms[2:]] or zeros(op, x, self.num_output) * 2
        bias = op.weight(weights[2], "bias")
        gates = op("Add", op("MatMul", flat, op.weight(np.ascontiguousarray(weights[0].T), "weight")), bias)
        step = lstm_step(op.weight(weights[1], "recurrent"), self.num_output)
        on = op("Cast", op("Cast", op.reshape(bottoms[1], -1), to=9), to=1)
        if x.shape[1] == 1:
            cont = op("Unsqueeze", on, op.ints(1, 2))
        else:
            rows, columns = (emit_range(op, op.size(x, i)) for i in (0, 1))
            cont = op(
                "Gather", on, op("Add", op("Unsqueeze", rows, op.ints(1, 2)), op("Unsqueeze", columns, op.ints(1)))
            )
        y, *last = emit_scan(op, step, x.shape[0], gates, cont, first)
        return [y, *(op("Unsqueeze", s, op.ints(0)) for s in last[: max(len(bottoms) - 2, 0)])]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x = bottoms[0]
        if len(x.shape) == 2:
            timed = (x.shape[0] // self.streams, self.streams, x.shape[1])
            y, *last = self.emit_caffe2(op, [op.reshape(x, -1, *timed[1:], shape=timed), *bottoms[1:]], weights)
            return [op.reshape(y, -1, self.num_output), *last]
        gates = op("FC", x, op.weight(weights[0], "x_w"), op.weight(weights[2], "b"), axis=2)
        steps, n = op.number(x.shape[0]), op.size(x, 1)
        if len(bottoms) == 1:
            cont = op("ExpandDims", full(op, 1.0, steps, n), dims=(2,))
        else:
            on = cast(op, cast(op, op.reshape(bottoms[1], -1), "bool"), "float")
            at = op("Add", op.const(np.arange(steps)[:, None], "int64"), op("Range", n))  # t + n, as the forks read it
            cont = op("ExpandDims", op("Gather", on, at), dims=(2,))
        first = [op("Squeeze", s, dims=(0,)) for s in bottoms[2:]] or [full(op, 0.0, n, self.num_output)] * 2
        y, states = unroll(op, lstm_step_caffe2(self.num_output), gates, cont, weights[1], first, steps)
        return [y, *(op("ExpandDims", s, dims=(0,)) for s in states[: max(len(bottoms) - 2, 0)])]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        x = bottoms[0]
        rows = x[0] if len(x) == 2 else x[0] * x[1]
        return rows * sum((product(blob) for blob in self.weight_shapes(bottoms)[:2]), 0)

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.uniform(0, 1, shapes[1]) < 0.8 if index == 1 else None
