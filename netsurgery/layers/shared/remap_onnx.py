"""OpenCV's remap as ONNX nodes, for `emit`. What `forward` needs is in remap.py."""

from __future__ import annotations

from ..core import Op, Tensor
from .emission import between, emit_line

STEPS = 32


def emit_places(op: Op, x: Tensor) -> tuple[Tensor, Tensor]:
    """The columns (W) and rows (H, 1) of a map, as floats."""
    columns, rows = (emit_line(op, op.size(x, i)) for i in (3, 2))
    return columns, op("Unsqueeze", rows, op.ints(1))


def emit_remap(op: Op, x: Tensor, u: Tensor, v: Tensor, wrap: bool | Tensor) -> Tensor:
    """y[m, :, i, j] = x[m] at column u[m, 0, i, j], row v[m, 0, i, j] -> (M, C, I, J). `wrap` may be known at run time only."""
    near, share = [], []
    for at in (u, v):
        steps = op("Round", op("Mul", at, op.const(STEPS)))
        whole = op("Floor", op("Mul", steps, op.const(1 / STEPS)))
        share.append(op("Sub", op("Mul", steps, op.const(1 / STEPS)), whole))
        near.append(op("Cast", whole, to=7))
    width = op.size(x, 3)
    plane = op.reshape(x, 0, 0, -1)

    def pixels(down: int, right: int) -> Tensor:
        column, row = (
            within(op, op("Add", at, op.ints(step)) if step else at, op.size(x, axis))
            for at, step, axis in ((near[0], right, 3), (near[1], down, 2))
        )
        index = op.reshape(op("Add", op("Mul", row, width), column), 0, 1, -1)
        index = op("Expand", index, op.ints(1, op.size(x, 1), 1))
        return op("GatherElements", plane, index, axis=2)

    def within(op: Op, place: Tensor, size: Tensor) -> Tensor:
        if wrap is True:
            return op("Mod", place, size)
        edge = op("Max", op("Min", place, op("Sub", size, op.ints(1))), op.ints(0))
        return edge if wrap is False else op("Where", wrap, op("Mod", place, size), edge)

    a, b = (op.reshape(t, 0, 1, -1) for t in share)

    upper, lower = (between(op, pixels(row, 0), pixels(row, 1), a) for row in (0, 1))
    y = between(op, upper, lower, b)
    return op.reshape(y, 0, 0, op.size(u, 2), op.size(u, 3))
