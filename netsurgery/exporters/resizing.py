"""Resizing as ONNX nodes, of images whose size is known only when the model runs: as OpenCV does to bytes, as caffe.io does, or plainly.

Each output pixel of an axis looks at two input pixels: two Gathers and two weights for each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from onnx import TensorProto

DOUBLE, FLOAT, INT = int(TensorProto.DOUBLE), int(TensorProto.FLOAT), int(TensorProto.INT64)


class Nodes(Protocol):
    """Adds nodes and gives the names of their outputs; arrays among the inputs become constants."""

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str: ...

    def least(self, x: str) -> str:
        """The least value of each image."""


def resized_bytes(op: Nodes, x: str, size: Sequence[int]) -> str:
    """x (N, C, H, W), whole numbers of 0 to 255 as floats, at another size: bit for bit as `vision.resize.resize_bytes`."""
    whole = op.add("Cast", x, to=INT)
    before, share = _places(op, whole, 3, size[1])
    last = op.add("Sub", _length(op, whole, 3), np.int64(1))
    inside = op.add("And", op.add("GreaterOrEqual", before, np.int64(0)), op.add("Less", before, last))
    share = op.add("Where", inside, share, np.float32(0))
    across = _weighed(op, whole, 3, before, share, last)
    lines = op.add("Div", op.add("Add", *across), np.int64(16))
    before, share = _places(op, whole, 2, size[0])
    last = op.add("Sub", _length(op, whole, 2), np.int64(1))
    down = [op.add("Div", part, np.int64(65536)) for part in _weighed(op, lines, 2, before, share, last)]
    total = op.add("Add", op.add("Add", *down), np.int64(2))
    return op.add("Cast", op.add("Div", total, np.int64(4)), to=FLOAT)


def resized_by_pycaffe(op: Nodes, x: str, size: Sequence[int]) -> str:
    """x (N, C, H, W) at another size as caffe.io.resize_image: what lies outside is as dark as the darkest pixel of the image."""
    low = op.least(x)
    lit = op.add("Sub", x, low)
    for axis, length in ((2, size[0]), (3, size[1])):
        before, share = _places(op, lit, axis, length)
        last = op.add("Sub", _length(op, lit, axis), np.int64(1))
        parts = []
        for k, weight in enumerate((op.add("Sub", np.float32(1), share), share)):
            index = before if k == 0 else op.add("Add", before, np.int64(1))
            inside = op.add("And", op.add("GreaterOrEqual", index, np.int64(0)), op.add("LessOrEqual", index, last))
            visible = _along(op, op.add("Where", inside, weight, np.float32(0)), axis)
            pixels = op.add("Gather", lit, op.add("Min", op.add("Max", index, np.int64(0)), last), axis=axis)
            parts.append(op.add("Mul", pixels, visible))
        lit = op.add("Add", *parts)
    return op.add("Add", lit, low)


def _length(op: Nodes, x: str, axis: int) -> str:
    return op.add("Gather", op.add("Shape", x), np.int64(axis), axis=0)


def _places(op: Nodes, x: str, axis: int, length: int) -> tuple[str, str]:
    """Of each output pixel the input pixel before its place (i + 1/2) N / n - 1/2, and how far it is on the way to the next."""
    # the quotient of a quotient, as OpenCV computes it
    ratio = op.add("Div", np.float64(length), op.add("Cast", _length(op, x, axis), to=DOUBLE))
    ratio = op.add("Div", np.float64(1), ratio)
    middles = np.arange(length, dtype=np.float64) + 0.5
    places = op.add("Cast", op.add("Sub", op.add("Mul", middles, ratio), np.float64(0.5)), to=FLOAT)
    before = op.add("Floor", places)
    return op.add("Cast", before, to=INT), op.add("Sub", places, before)


def _along(op: Nodes, weight: str, axis: int) -> str:
    return op.add("Unsqueeze", weight, np.array([1], np.int64)) if axis == 2 else weight


def _weighed(op: Nodes, x: str, axis: int, before: str, share: str, last: str) -> list[str]:
    """The two neighbours of each output pixel, times their weights in 1/2048."""
    parts = []
    for k, weight in enumerate((op.add("Sub", np.float32(1), share), share)):
        whole = op.add("Cast", op.add("Round", op.add("Mul", weight, np.float32(2048))), to=INT)
        index = before if k == 0 else op.add("Add", before, np.int64(1))
        pixels = op.add("Gather", x, op.add("Min", op.add("Max", index, np.int64(0)), last), axis=axis)
        parts.append(op.add("Mul", pixels, _along(op, whole, axis)))
    return parts
