"""How layers run: the base, and what all ways share."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..kind import Kind
from ..layers import make_layer
from ..layers.core.fillers import Filler
from ..message import Message
from ..net import Layer
from .blob import Blob, Memory
from .settings import random
from .slot import LayerView, Slot


class Op:
    """What a net does with a layer. An `eager` one runs by itself, between the stretches that onnxruntime computes."""

    eager: ClassVar[bool] = True
    shares_data = False
    """Whether the tops lie in the memory of the first bottom (Split, Reshape, Flatten)."""
    shares_diff = False
    is_source = False
    """Whether the tops are there before the net runs."""

    kind: Kind | None = None
    """What the layer's type says, where it is run by that."""

    def __init__(self, slot: Slot) -> None:
        self.slot = slot

    @property
    def reads(self) -> list[Blob]:
        """The blobs that it computes from."""
        return self.slot.bottoms

    @property
    def writes(self) -> list[Blob]:
        """The blobs that it computes."""
        return self.slot.tops

    @property
    def is_eager(self) -> bool:
        return self.eager

    def setup(self) -> None:
        """Makes the parameter blobs; bottoms have their shapes."""
        self.slot.public = LayerView(self.slot)

    def reshape(self) -> None:
        """Gives the tops their shapes."""

    def forward(self) -> None:
        """Computes the tops."""

    def backward(self) -> bool:
        """Computes the diffs, if the layer has code of its own for that; False if it has none."""
        return False


class InputOp(Op):
    """Input: tops of the declared shapes, which the script fills."""

    is_source = True

    def setup(self) -> None:
        super().setup()
        shapes = read_layer(self.slot, len(self.slot.bottoms)).kind.declared(len(self.slot.tops))
        for top, shape in zip(self.slot.tops, shapes, strict=True):
            if shape is not None:
                top.resize(shape)


class Filling:
    """A promise of the numbers that a filler gives."""

    def __init__(self, filler: Filler, shape: tuple[int, ...], title: str) -> None:
        self.filler, self.shape, self.title = filler, shape, title
        self.seed = int(random().integers(2**62))

    def keep(self, memory: Memory) -> None:
        memory.put(np.asarray(self.filler.draw(self.shape, np.random.default_rng(self.seed), self.title), np.float32))


def filled(blob: Blob, filler: Filler, title: str) -> Blob:
    """The blob, filled when somebody looks."""
    if filler.type != "constant" or filler.value:
        blob.data_memory.promise = Filling(filler, blob.sizes, title)
    return blob


def put(blob: Blob, values: np.ndarray[Any, np.dtype[np.float32]], *, adopt: bool = True) -> None:
    """New numbers for a blob, which takes their shape."""
    if values.shape != blob.sizes:
        blob.resize(values.shape)
    blob.data_memory.put(values, adopt=adopt)


def read_layer(slot: Slot, bottoms: int, tops: int = -1, params: Message | None = None) -> Layer:
    """The layer with its parameters read. Raises: NetsurgeryError for a layer that is refused."""
    names = [*slot.bottom_names, *(f"#{i}" for i in range(bottoms - len(slot.bottom_names)))]
    written = [*slot.top_names, *(f"#{i}" for i in range(len(slot.top_names), tops if tops >= 0 else len(slot.tops)))]
    message = slot.params if params is None else params
    layer = make_layer(slot.name, slot.type, names, written, message, source=slot.source)
    layer.kind.require_supported()
    return layer
