"""Other nodes for what a runtime computes wrongly as it stands; elsewhere they would only cost. `targets` says which runtime has which."""

from __future__ import annotations

from collections.abc import Callable

from ...layers.core import Op, Tensor
from ...layers.shared.reduce import reduce

Form = Callable[..., Tensor]
"""The output of a node: from the builder, the node's inputs, and its attributes by name."""


def less_greatest(op: Op, x: Tensor, *, axis: int) -> Tensor:
    """Softmax(x) as Softmax(x - max x), for what overflows from 88 on."""
    return op("Softmax", op("Sub", x, reduce(op, "ReduceMax", x, [axis], keep=True)), axis=axis)
