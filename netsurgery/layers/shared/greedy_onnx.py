"""Greedy suppression as ONNX nodes, for measures of overlap that NonMaxSuppression does not have."""

from __future__ import annotations

from collections.abc import Callable

from ..core import Op, Tensor, Tensors
from .emission import pick


def emit_greedy(op: Op, count: Tensor, most: int | None, suppressed: Callable[[Op, Tensor, Tensor], Tensor]) -> Tensor:
    """Which of `count` candidates, best first, are survivors, at most `most`: int64 (K).

    `suppressed` gives nodes that say which of the candidates at some indices (int64, (n)) go once that at an index (int64, (1)) is
    survivors: bool (n). They are part of a loop's body, and see only those that are still in the running. What they gather from must have a
    row more, for where there is no candidate at all.
    """
    steps = op("Max", count if most is None else op("Min", count, op.ints(most)), op.ints(1))

    def step(inner: Op, alive: Tensor, tick: Tensor) -> Tensors:
        best = inner("ArgMax", alive, axis=0, keepdims=1)
        lives = inner("Greater", inner("ReduceMax", alive, keepdims=1), inner.const(0))
        survivors = inner("Where", lives, inner("Cast", best, to=1), inner.const(-1))
        rest = inner("Squeeze", inner("NonZero", alive), inner.ints(0))
        stays = inner("Cast", inner("Not", suppressed(inner, best, rest)), to=1)
        alive = inner("ScatterElements", alive, rest, stays, axis=0)
        alive = inner("ScatterElements", alive, best, inner.const([0]), axis=0)
        return [alive, inner("Squeeze", inner("Add", survivors, tick), inner.ints(0))]

    alive = op("Concat", op("Expand", op.const(1), count), op.const([0]), axis=0)
    ticks = op("Expand", op.const(0), steps)
    _, survivors = op.many(2, "Scan", alive, ticks, body=op.body(step, ["alive", "tick"]), num_scan_inputs=1)
    return op("Cast", pick(op, op("GreaterOrEqual", survivors, op.const(0)), survivors)[0], to=7)
