"""The Python layer input_shifting_layer.InputShiftingLayer: an image moved by parts of pixels."""

import numpy as np

from .core import Array, Arrays, LayerType, Op, Params, Shapes, Tensors
from .shared.emission import emit_range
from .shared.python_layers import settings

A = -0.75


class InputShifting(LayerType):
    """y(i, j) = x(i - ty, j - tx), as OpenCV's warpAffine with INTER_CUBIC has it, the edge repeating outside.

    A place is s / 32 with s = (rint(-1024 t) + 16) // 32 away; what is between pixels comes from four of them across and four down, by
    Keys' cubic with a = -0.75. Of an image that has not three channels only the first is moved, and the others are 0.

    Shapes: (N, C, H, W) -> (N, C, H, W).
    Source: JunhyeongBak/Caffe_Light_Field, layers/input_shifting_layer.py
    """

    types = ("Python:input_shifting_layer.InputShiftingLayer",)
    note = "of Caffe_Light_Field"

    def read(self, p: Params) -> None:
        values = settings(p, self.title, "tx", "ty")
        move = [values.get(name) for name in ("ty", "tx")]
        if not all(isinstance(t, (int, float)) and not isinstance(t, bool) and abs(t) < 2**20 for t in move):
            problem = f"tx and ty in param_str are {move[1]} and {move[0]}"
            raise p.message("python_param").refuse("param_str", problem, expected="two numbers")
        steps = [(int(np.rint(-1024.0 * np.float32(t))) + 16) // 32 for t in move if t is not None]
        self.whole = [s // 32 for s in steps]
        """How many rows and columns further the second of the four taps lies."""
        self.taps = np.stack([_cubic(np.float32(s % 32) / np.float32(32)) for s in steps])

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.rank(bottoms[0], 4)
        return [bottoms[0]]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        moved = x if x.shape[1] == 3 else x[:, :1]
        for axis in (2, 3):
            place = np.arange(x.shape[axis]) + self.whole[axis - 2]
            taps = [np.take(moved, (place + k - 1).clip(0, x.shape[axis] - 1), axis=axis) for k in range(4)]
            moved = sum(tap * c for tap, c in zip(taps, self.taps[axis - 2].astype(x.dtype), strict=True))
        y = np.zeros_like(x)
        y[:, : moved.shape[1]] = moved
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        c, h, w = (op.size(x, i) for i in (1, 2, 3))
        left = [max(0, 1 - o) for o in self.whole]
        right = [max(0, o + 2) for o in self.whole]
        wide = op("Pad", op.reshape(x, -1, 1, h, w), op.ints(0, 0, *left, 0, 0, *right), mode="edge")
        start = [o - 1 + a for o, a in zip(self.whole, left, strict=True)]
        end = [-max(0, -o - 2) or 2**31 for o in self.whole]
        wide = op("Slice", wide, op.ints(*start), op.ints(*end), op.ints(2, 3))
        moved = op.reshape(op("Conv", wide, np.outer(*self.taps)[None, None]), -1, c, h, w)
        if x.shape[1] in (1, 3):
            return [moved]
        number = emit_range(op, c)
        survivors = op("Or", op("Equal", number, op.ints(0)), op("Equal", c, op.ints(3)))
        return [op("Where", op.reshape(survivors, -1, 1, 1), moved, op.const(0))]


def _cubic(t: np.float32) -> Array:
    """The weights of four pixels of which the second lies t before the place."""
    far, near, after = t + 1, t, 1 - t
    first = ((A * far - 5 * A) * far + 8 * A) * far - 4 * A
    second = ((A + 2) * near - (A + 3)) * near * near + 1
    third = ((A + 2) * after - (A + 3)) * after * after + 1
    return np.array([first, second, third, 1 - first - second - third], np.float32)
