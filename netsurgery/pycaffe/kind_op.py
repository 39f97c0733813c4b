"""Layers that run by their type of netsurgery.layers: compiled, or by NumPy where there is no ONNX form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..kind import Kind
from ..layers.core.dims import Dim
from ..layers.core.fillers import Filler
from ..layers.core.layer_type import LayerType
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
    plain: Layer
    """The layer as the net has it."""
    states: Sequence[Blob] = ()
    """What it keeps from call to call, in blobs that only the net knows."""

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
        shapes = self.kind.weight_shapes([blob.sizes for blob in self.reads])
        fillers = [*self.kind.fillers, *[Filler()] * len(shapes)]
        for shape, filler in zip(shapes, fillers, strict=False):
            slot.blobs.append(filled(Blob(_plain(shape)), filler, slot.title))

    def make(self) -> Layer:
        """The layer; of one that keeps states from call to call its twin that takes and gives them."""
        slot, count = self.slot, len(self.slot.bottoms)
        self.plain = layer = read_layer(slot, count)
        self.states = [Blob(shape) for shape in self._state_shapes()]
        if self.states:
            more = len(self.states)
            layer = read_layer(slot, count + more, len(slot.tops) + more, layer.kind.exposed(slot.params))
        return layer

    def _state_shapes(self) -> list[tuple[int, ...]]:
        return [_plain(shape) for shape in self.plain.kind.memory_shapes([blob.sizes for blob in self.slot.bottoms])]

    @property
    def reads(self) -> list[Blob]:
        return [*self.slot.bottoms, *self.states]

    @property
    def writes(self) -> list[Blob]:
        return [*self.slot.tops, *self.states]

    def _one_to_one(self) -> bool:
        return len(self.slot.bottoms) == len(self.slot.tops) == 1

    @property
    def is_eager(self) -> bool:
        return type(self.kind).emit is LayerType.emit and not self.kind.is_identity

    def reshape(self) -> None:
        for state, numbers in zip(self.states, self._state_shapes(), strict=True):
            if numbers != state.sizes:
                state.resize(numbers)
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


def _plain(shape: Sequence[Any], before: Sequence[int] = ()) -> tuple[int, ...]:
    """Sizes in numbers: those that the data decide stay as they are, or start as 1."""
    fallback = before if len(before) == len(shape) else [1] * len(shape)
    return tuple(n if isinstance(n, int) else k for n, k in zip(shape, fallback, strict=True))
