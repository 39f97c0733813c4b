"""ConvLSTM as Caffe2's operators, one step after another."""

from __future__ import annotations

from ..core import Op, Tensors
from ..shared.convlstm_cell import ConvLSTMCell
from .operators import conv, full
from .recurrence import each


def emit(op: Op, cell: ConvLSTMCell, bottoms: Tensors) -> Tensors:
    """y, and the last h and c, of x, cont and, where there are four bottoms, the first h and c; else these are 0."""
    x, cont = bottoms[:2]
    m, steps = cell.units, op.number(x.shape[0])
    rows, columns = (op.number(n) for n in x.shape[3:])
    w_x, windows_x, group_x = cell.of_x
    w_h, windows_h, group_h = cell.of_h
    added = op.weight(cell.bias, "b") if cell.bias is not None else None
    flat = op.reshape(x, -1, op.size(x, 2), rows, columns)
    gates = conv(op, flat, op.weight(w_x, "x_w"), added, windows_x, group_x)
    gates = op.reshape(gates, steps, -1, 4 * m, rows, columns)
    kernel, holes = op.weight(w_h, "h_w"), [op.weight(w[None], f"peep{k}") for k, w in enumerate(cell.peeps)]
    if len(bottoms) == 4:
        h, c = (op("Squeeze", s, dims=(0,)) for s in bottoms[2:])
    else:
        h = c = full(op, 0.0, op.size(x, 1), m, rows, columns)
    tops = []
    for now, on in zip(each(op, gates, steps), each(op, op("ExpandDims", cont, dims=(2, 3, 4)), steps), strict=True):
        moved = conv(op, op("Mul", h, on), kernel, None, windows_h, group_h)
        parts = list(op.many(4, "Split", op("Add", now, moved), axis=1, split=(m,) * 4))
        parts[:3] = [op("Add", part, op("Mul", c, w)) for part, w in zip(parts, holes, strict=False)] or parts[:3]
        i, f, o = (op("Sigmoid", part) for part in parts[:3])
        c = op("Add", op("Mul", op("Mul", f, on), c), op("Mul", i, op("Tanh", parts[3])))
        h = op("Mul", o, op("Tanh", c))
        tops.append(h)
    y = op("Concat", *tops, axis=0, add_axis=1)
    return [y, *(op("ExpandDims", s, dims=(0,)) for s in (h, c))]
