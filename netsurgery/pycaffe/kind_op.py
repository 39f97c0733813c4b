"""Layers that run by their type of netsurgery.layers: compiled, or by NumPy where there is no ONNX form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kind import Kind
from ..layers.core.dims import Dim
from ..layers.core.fillers import Filler
from ..layers.core.layer_type import LayerType
from ..message import Field
from ..net import Layer
from .blob import Blob
from .errors import CaffeError
from .op import Op, filled, put, read_layer


class KindOp(Op):
    """A layer by its type of netsurgery.layers."""

    eager = False
    kind: Kind
    free: tuple[bool, ...] = ()
    """Which tops have a size that the data decide."""

    def setup(self) -> None:
        super().setup()
        slot = self.slot
        self.layer = self.make()
        self.kind = self.layer.kind
        if slot.in_place and not self.kind.in_place:
            raise CaffeError(
                f"top '{slot.top_names[0]}' is also its bottom",
                layer=slot,
                expected=f"another top: Caffe's {slot.type} does not work in place",
            )
        self.shares_data = self.kind.shares_memory or (slot.type in ("Concat", "Slice") and self._one_to_one())
        self.shares_diff = self.shares_data and slot.type not in ("Split", "Flatten")
        wanted = self.kind.weight_shapes([blob.sizes for blob in self.reads])
        fillers = [*self.kind.fillers, *[Filler()] * len(wanted)]
        for shape, filler in zip(wanted, fillers, strict=False):
            slot.blobs.append(filled(Blob(_plain(shape)), filler, slot.title))

    def make(self) -> Layer:
        return read_layer(self.slot, len(self.slot.bottoms))

    def _one_to_one(self) -> bool:
        return len(self.slot.bottoms) == len(self.slot.tops) == 1

    @property
    def is_eager(self) -> bool:
        return type(self.kind).emit is LayerType.emit and not self.kind.is_identity

    def reshape(self) -> None:
        tops = self.kind.shapes([blob.sizes for blob in self.reads])
        self.free = tuple(any(isinstance(n, Dim) for n in shape) for shape in tops)
        for top, shape in zip(self.writes, tops, strict=False):
            fresh = self.slot.type == "Filter" and not top.sizes  # until it has run, all items pass
            sizes = _plain(shape, self.slot.bottoms[0].sizes if fresh else top.sizes)
            if sizes != top.sizes:
                top.resize(sizes)
        if self.shares_diff:
            self.share()

    def share(self) -> None:
        """Lays the tops where the first bottom lies. Split and Flatten do so when they run, others when shapes are set."""
        if self.shares_data:
            for top in self.slot.tops:
                top.share_data(self.slot.bottoms[0])
                if self.shares_diff:
                    top.share_diff(self.slot.bottoms[0])

    def forward(self) -> None:
        if self.shares_data:
            self.share()
            return
        bottoms = [blob.read_data() for blob in self.reads]
        weights = [np.require(blob.read_data(), np.float32, "A") for blob in self.slot.blobs]
        with np.errstate(all="ignore"):
            tops = self.kind.forward(bottoms, weights)
        for top, values in zip(self.writes, tops, strict=False):
            put(top, np.asarray(values, np.float32))


class RecurrentOp(KindOp):
    """LSTM, RNN: with the state of the last step kept for the next call, where the continuation marks say so.

    The layer runs as its own twin with `expose_hidden`, whose states are blobs that only the net knows.
    """

    def make(self) -> Layer:
        slot = self.slot
        self.states: list[Blob] = []
        inner = slot.params.last("recurrent_param")
        if inner.last("expose_hidden", False):
            return read_layer(slot, len(slot.bottoms))
        exposed = slot.params.with_fields(Field("recurrent_param", inner.with_fields(Field("expose_hidden", True))))
        count = 2 if slot.type == "LSTM" else 1
        n, units = slot.bottoms[0].sizes[1], int(inner.last("num_output", 0))
        self.states = [Blob((1, n, units)) for _ in range(count)]
        return read_layer(slot, len(slot.bottoms) + count, len(slot.tops) + count, exposed)

    @property
    def reads(self) -> list[Blob]:
        return [*self.slot.bottoms, *self.states]

    @property
    def writes(self) -> list[Blob]:
        return [*self.slot.tops, *self.states]

    def reshape(self) -> None:
        for state in self.states:
            shape = (1, self.slot.bottoms[0].sizes[1], state.sizes[2])
            if shape != state.sizes:
                state.resize(shape)
        super().reshape()


def _plain(shape: Sequence[Any], before: Sequence[int] = ()) -> tuple[int, ...]:
    """Sizes in numbers: those that the data decide stay as they are, or start as 1."""
    kept = before if len(before) == len(shape) else [1] * len(shape)
    return tuple(n if isinstance(n, int) else k for n, k in zip(shape, kept, strict=True))
