"""Pooling as the Caffes count its windows that run nets which darknet2caffe wrote."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from .caffe2.operators import pool
from .core import Arrays, Op, Params, Tensors
from .pooling import Pooling
from .shared.pool_windows import PoolWindows


class DarknetPooling(Pooling):
    """Pooling, whose windows are as many as in Darknet: where a size is rounded up, (size + 2 pad) / stride rounded down. A kernel of 2
    with stride 1 keeps the size.

    Shapes: (N, C, size...) -> (N, C, floor((size + 2 pad) / stride) ...).
    Source: the changed pooling_layer.cpp of makefile/frcnn, issue 7; maxpool_layer.c of Darknet
    """

    types: ClassVar[tuple[str, ...]] = ("Pooling:darknet",)
    note = "by formula: dialect darknet"

    def read(self, p: Params) -> None:
        super().read(p)
        if self._rounds:
            at = self.windows(4)
            if self.method != "MAX" or self.top_count > 1:
                raise self.q.refuse(
                    "pool", f"Darknet's count with {self.method} or a mask", expected="MAX with one top"
                )
            if any(k < s or q >= s for k, s, q in zip(at.kernel, at.stride, at.pad, strict=True)):
                raise self.q.refuse(
                    "stride",
                    f"kernel {at.kernel}, stride {at.stride}, pad {at.pad} in Darknet's count",
                    expected="a stride greater than the padding, and no greater than the kernel",
                )

    @property
    def _rounds(self) -> bool:
        return self.round_up and not self.global_pooling

    def pools(self, shape: Sequence[object]) -> PoolWindows:
        pools = super().pools(shape)
        if not self._rounds:
            return pools
        # with kernel - stride more behind, as many windows fit as Darknet has
        more = tuple(k - s for k, s in zip(pools.at.kernel, pools.at.stride, strict=True))
        return PoolWindows(replace(pools.at, tail=more), False, (False,) * len(more))

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        if not self._rounds:
            return super().emit_caffe2(op, bottoms, weights)
        at = self.pools(x.shape).at
        return [pool(op, "MaxPool", x, at.kernel, at.stride, (*at.pad, *at.ends))]
