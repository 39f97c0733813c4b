"""ConvLSTM: an LSTM whose states are maps and whose matrices are convolutions."""

from collections.abc import Sequence

import numpy as np

from ..message import Message
from .caffe2 import convlstm as _convlstm_caffe2
from .core import Arrays, LayerType, Op, Params, Rng, Sample, Shape, ShapeError, Shapes, Size, Sizes, Tensors, product
from .shared import convlstm_onnx as _convlstm_onnx
from .shared.convlstm_cell import ConvLSTMCell
from .shared.convolve import convolve
from .shared.recurrence import indicators_shape, with_hidden
from .shared.windows import least_axes, read_windows


class ConvLSTM(LayerType):
    """[i, f, o, g] = conv_x(x_t) + conv_h(cont_t h) + b + [w_i c, w_f c, w_o c, 0]; c = cont_t sig(f) c + sig(i) tanh(g),
    h = sig(o) tanh(c): the peepholes see the c of the step before, whatever cont_t is. Without `expose_hidden` h and c begin as 0.

    Shapes: x (T, N, C, H, W), cont (T, N), with `expose_hidden` h, c (1, N, M, H, W) -> (T, N, M, H, W), with it the last h and c;
        blobs W_x (4M, C, kernel), 2 unused numbers, W_h (4M, M, kernel), b (4M), w_i, w_f, w_o (H, W), 2 unused numbers.
    Source: conv_lstm_layer.cpp, conv_lstm_unit_layer.cpp of DAVSOD (agethen's ConvLSTM)
    """

    types = ("ConvLSTM",)
    bottoms = (2, 4)
    tops = (1, 3)
    mixes = "takes the first axis of its bottom for time"
    note = "the state is kept from one call to the next where it is asked for: --recurrent-state"

    def read(self, p: Params) -> None:
        self.hidden = p.message("recurrent_param").get_bool("expose_hidden")
        self.memory = () if self.hidden else ("h", "c")
        q = p.message("lstm_debug_param")
        if q.get_strs("expose"):
            raise q.refuse("expose", "blobs inside the layer are exposed", expected="expose_hidden alone")
        if q.get_bool("ignore_x"):
            raise q.refuse("ignore_x", "x is ignored", expected="false")
        self.peeps = not q.get_bool("disable_hadamard", False)
        self.peep_axis, self.peep_axes = q.get_int("axis_hadamard"), q.get_int("num_axes_hadamard")
        parts = p.messages("lstm_conv_param")
        if not 1 <= len(parts) <= 2:
            raise p.refuse("lstm_conv_param", f"{len(parts)} times lstm_conv_param", expected="once, or twice")
        for part in parts:
            self._check(part)
        kinds = [part.get_str("type") for part in parts]
        x = parts[1] if kinds[0] == "hidden" and len(parts) == 2 else parts[0]
        h = parts[1] if kinds[0] == "input" and len(parts) == 2 else parts[0]
        self.units, self.bias = parts[0].get_int("num_output"), h.get_bool("bias_term")
        self.of_x, self.of_h = (read_windows(part, 2) for part in (x, h))
        self.group_x, self.group_h = x.get_int("group"), h.get_int("group")
        if self.bottom_count != 2 + 2 * self.hidden:
            raise ShapeError(
                f"{self.bottom_count} bottoms, expose_hidden is {str(self.hidden).lower()}",
                layer=self,
                expected="x and cont; with expose_hidden also h and c",
            )

    @staticmethod
    def _check(part: Params) -> None:
        if part.get_int("num_output", 0) < 1:
            raise part.refuse("num_output", "num_output is not set", expected="a positive number")
        if least_axes(part) > 2:
            raise part.refuse("kernel_size", "more than two axes", expected="a kernel over height and width")
        part.ignore("axis", "bias_term", "group", "type", why="the layer sets the axis; the others are read above")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        x, m = bottoms[0], self.units
        peep = (1, x[1], m, *x[3:])[self.peep_axis :][: self.peep_axes]
        of_x: Shape = (4 * m, x[2] // self.group_x, *self.of_x.kernel)
        of_h: Shape = (4 * m, m // self.group_h, *self.of_h.kernel)
        unused: Shapes = [(1,), (1,)]
        return [of_x, *unused, of_h, *[(4 * m,)] * self.bias, *[peep] * (3 * self.peeps), *unused]

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, cont = bottoms[:2]
        self.rank(x, 5, "x (bottom 0)")
        self.rank(cont, 2, "cont (bottom 1)")
        for n, expected, what in zip(cont, x, ("time steps", "streams"), strict=False):
            self.require(n, expected, f"{what} of cont (bottom 1)")
        for windows, what in ((self.of_x, "x"), (self.of_h, "h")):
            for n, expected in zip(windows.out(x[3:]), x[3:], strict=True):
                self.require(n, expected, f"a size of the convolution of {what}")
        state: Shape = (1, x[1], self.units, *x[3:])
        for i, shape in enumerate(bottoms[2:], 2):
            self.rank(shape, 5, f"bottom {i}")
            self.require_alike(shape, state, f"the state (bottom {i})", ["a size"] * 5)
        return [(*x[:2], *state[2:]), *[state] * (2 * self.hidden)]

    def bottom_shape(self, index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
        return indicators_shape(index, bottoms)

    def memory_shapes(self, bottoms: Shapes) -> Shapes:
        return [(1, bottoms[0][1], self.units, *bottoms[0][3:])] * len(self.memory)

    def exposed(self, params: Message) -> Message:
        return with_hidden(params)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, cont = bottoms[:2]
        t, n, m = x.shape[0], x.shape[1], self.units
        cell = self._cell(weights)
        of_x = convolve(x.reshape(t * n, *x.shape[2:]), cell.of_x[0], *cell.of_x[1:])
        of_x = of_x.reshape(t, n, 4 * m, *x.shape[3:])
        h, c = (s[0] for s in bottoms[2:]) if self.hidden else [np.zeros((n, m, *x.shape[3:]), x.dtype)] * 2
        y = np.empty((t, n, m, *x.shape[3:]), x.dtype)
        for step in range(t):
            on = cont[step].reshape(-1, 1, 1, 1).astype(x.dtype)
            gates = of_x[step] + convolve(h * on, cell.of_h[0], *cell.of_h[1:])
            if cell.bias is not None:
                gates += cell.bias.reshape(-1, 1, 1)
            for k, w in enumerate(cell.peeps):
                gates[:, k * m : (k + 1) * m] += w * c
            i, f, o = np.split(1 / (1 + np.exp(-gates[:, : 3 * m])), 3, axis=1)
            c = on * f * c + i * np.tanh(gates[:, 3 * m :])
            h = y[step] = o * np.tanh(c)
        return [y, h[None], c[None]][: 1 + 2 * self.hidden]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return _convlstm_onnx.emit(op, self._cell(weights), bottoms)[: 1 + 2 * self.hidden]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        return _convlstm_caffe2.emit(op, self._cell(weights), bottoms)[: 1 + 2 * self.hidden]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        x, blobs = bottoms[0], self.weight_shapes(bottoms)
        return x[0] * x[1] * product(x[3:]) * (product(blobs[0]) + product(blobs[3]))

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.uniform(0, 1, shapes[1]) < 0.8 if index == 1 else None

    def _cell(self, weights: Arrays) -> ConvLSTMCell:
        first = 4 + self.bias
        behind = (1,) * (5 - self.peep_axis - self.peep_axes)
        return ConvLSTMCell(
            self.units,
            (weights[0], self.of_x, self.group_x),
            (weights[3], self.of_h, self.group_h),
            weights[4] if self.bias else None,
            [w.reshape(*w.shape, *behind) for w in weights[first : first + 3 * self.peeps]],
        )
