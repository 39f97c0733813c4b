"""ConvLSTM as an ONNX Scan over time."""

from __future__ import annotations

from ..core import Op, Tensor, Tensors
from .convlstm_cell import ConvLSTMCell
from .recurrence import emit_scan


def emit(op: Op, cell: ConvLSTMCell, bottoms: Tensors) -> Tensors:
    """y, and the last h and c, of x, cont and, where there are four bottoms, the first h and c; else these are 0."""
    x, cont = bottoms[:2]
    m = cell.units
    t, n, _, rows, columns = (op.size(x, i) for i in range(5))
    w_x, windows_x, group_x = cell.of_x
    w_h, windows_h, group_h = cell.of_h
    bias = op.weight(cell.bias, "bias") if cell.bias is not None else None
    flat = op.reshape(x, -1, op.size(x, 2), rows, columns)
    of_x = op("Conv", flat, op.weight(w_x, "weight"), bias, **windows_x.attributes, group=group_x)
    gates = op.reshape(of_x, t, n, 4 * m, rows, columns)
    recurrent = op.weight(w_h, "recurrent")
    holes = [op.weight(w, f"peephole{k}") for k, w in enumerate(cell.peeps)]

    def step(inner: Op, gates: Tensor, cont: Tensor, h: Tensor, c: Tensor) -> Tensors:
        moved = inner("Conv", inner("Mul", h, cont), recurrent, **windows_h.attributes, group=group_h)
        parts = list(inner.many(4, "Split", inner("Add", gates, moved), inner.ints([m] * 4), axis=1))
        for k, w in enumerate(holes):
            parts[k] = inner("Add", parts[k], inner("Mul", w, c))
        i, f, o = (inner("Sigmoid", part) for part in parts[:3])
        left = inner("Mul", inner("Mul", cont, f), c)
        c = inner("Add", left, inner("Mul", i, inner("Tanh", parts[3])))
        return [inner("Mul", o, inner("Tanh", c)), c]

    if len(bottoms) == 4:
        first = [op("Squeeze", s, op.ints(0)) for s in bottoms[2:]]
    else:
        first = [op("Expand", op.const(0.0), op.ints(n, m, rows, columns))] * 2
    y, *last = emit_scan(op, step, x.shape[0], gates, op("Unsqueeze", cont, op.ints(2, 3, 4)), first)
    return [y, *(op("Unsqueeze", s, op.ints(0)) for s in last)]
