"""Layers in a row that are compiled together, as a net of values of which each is computed once.

Blobs are memory and may be written twice (in place) or seen in two shapes (Reshape); values are not:

    conv1 -> relu1 in place -> flat (Flatten, same memory)      is      conv1, conv1@relu1, flat

Where code cannot be made of it (a layer reads memory that was written in another shape) the stretch ends, and the next one starts from
what the memory holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ..layers import make_layer
from ..message import Field, Message
from ..net import Layer, Net
from .blob import Blob
from .kind_op import KindOp
from .slot import Slot

if TYPE_CHECKING:
    from .blob import Array

COPYING = ("PReLU", "Scale", "Swish")
"""Layers that keep a copy of what they overwrite, in Caffe."""

REMEMBERING = (
    *("ContrastiveLoss", "Eltwise", "EuclideanLoss", "Filter", "HingeLoss", "InfogainLoss", "LRN", "MVN", "Pooling"),
    *("SigmoidCrossEntropyLoss", "SoftmaxWithLoss"),
)
"""Layers that keep for their backward what they found in their bottoms (masks, probabilities, differences), whatever is written there
later."""

Place = tuple[int, int]
"""Where a blob lies: the number of its memory, and of the shape in which it sees it."""


def places(slots: Sequence[Slot]) -> dict[Blob, Place]:
    """Which blobs lie in one memory: tops of Split (same shape), Reshape and Flatten (another shape) with their bottoms."""
    layout: dict[Blob, Place] = {}
    fresh = 0
    for slot in slots:
        for blob in (*slot.op.reads, *slot.op.writes):
            if blob in layout:
                continue
            fresh += 1
            if slot.op.shares_data and blob in slot.tops:
                cell, view = layout[slot.bottoms[0]]
                layout[blob] = cell, view if slot.type == "Split" else fresh
            else:
                layout[blob] = fresh, fresh
    return layout


class Stretch:
    """The values of some layers in a row. Layers are added while `add` takes them."""

    def __init__(self, where: Mapping[Blob, Place], names: Mapping[Blob, str]) -> None:
        self._where, self._names = where, names
        self.slots: list[Slot] = []
        self.layers: list[Layer] = []
        self.inputs: dict[str, Blob] = {}
        self.reads: dict[Slot, list[str]] = {}
        """The values that each layer read."""
        self._values: dict[int, dict[int, str]] = {}
        self._written: dict[int, Blob] = {}
        """The memory that is written, each with the blob that was written last."""
        self._taken: set[str] = set()
        self.params: list[Blob] = []

    def add(self, slot: Slot) -> bool:
        """Takes the layer in; False if it cannot be part of the stretch."""
        op = slot.op
        if op.is_eager or not isinstance(op, KindOp) or not all(self._readable(blob) for blob in op.reads):
            return False
        bottoms = [self._read(blob) for blob in op.reads]
        self.reads[slot] = bottoms
        self.slots.append(slot)
        if op.kind.is_identity:
            for top in slot.tops:
                self._write(top, bottoms[0], keep=op.shares_data)
            return True
        tops = []
        for top in op.writes:
            value = self._fresh(self._names[top], slot.name)
            tops.append(value)
            self._write(top, value, keep=op.shares_data)
        self.params += slot.blobs
        self.layers.append(replace(op.layer, bottoms=tuple(bottoms), tops=tuple(tops)))
        return True

    @property
    def finals(self) -> dict[str, Blob]:
        """The last value of each memory that is written, with the blob in whose shape it is."""
        return {self._values[cell][self._where[blob][1]]: blob for cell, blob in self._written.items()}

    @property
    def persistent(self) -> set[str]:
        """Values that go where others came from: a layer in place on what was there before, the state of an LSTM."""
        cells = {self._where[blob][0] for blob in self.inputs.values()}
        return {v for v, blob in self.finals.items() if self._where[blob][0] in cells and v not in self.inputs}

    @cached_property
    def overwritten(self) -> set[str]:
        """Values that gradients want and that the memory no longer holds: bottoms of layers in place, states."""
        values: set[str] = set()
        for slot, reads in self.reads.items():
            if slot.in_place and slot.type in COPYING:
                values.add(reads[0])
            values.update(reads[len(slot.bottoms) :])
        return values

    @cached_property
    def sources(self) -> set[str]:
        """Values that gradients go back to, though the script may write over them."""
        return {read for slot, reads in self.reads.items() if slot.type in REMEMBERING for read in reads}

    def cell(self, blob: Blob) -> int:
        return self._where[blob][0]

    def net(self, shapes: Mapping[str, Sequence[int]], weights: Mapping[int, Array], outputs: Sequence[str]) -> Net:
        """The layers that `outputs` need as a net whose inputs have these shapes; `weights` by id of their blob."""
        needed, layers = set(outputs), []
        for layer, slot in zip(reversed(self.layers), reversed(self._computing), strict=True):
            if needed.intersection(layer.tops):
                needed.update(layer.bottoms)
                layers.append(replace(layer, weights=tuple(weights[id(blob)] for blob in slot.blobs)))
        heads = [input_layer(name, shapes[name]) for name in self.inputs if name in needed]
        return Net((*heads, *reversed(layers)))

    @property
    def _computing(self) -> list[Slot]:
        return [s for s in self.slots if isinstance(s.op, KindOp) and not s.op.kind.is_identity]

    def _readable(self, blob: Blob) -> bool:
        cell, view = self._where[blob]
        return view in self._values.get(cell, {view: ""}) or cell not in self._written

    def _read(self, blob: Blob) -> str:
        cell, view = self._where[blob]
        values = self._values.setdefault(cell, {})
        if view not in values:
            values[view] = self._fresh(self._names[blob], "")
            self.inputs[values[view]] = blob
        return values[view]

    def _write(self, blob: Blob, value: str, *, keep: bool) -> None:
        """`keep`: the memory holds what it did, seen in another shape."""
        cell, view = self._where[blob]
        if keep:
            self._values[cell][view] = value
        else:
            self._values[cell] = {view: value}
            self._written[cell] = blob

    def _fresh(self, name: str, writer: str) -> str:
        value = name if name not in self._taken else f"{name}@{writer}"
        while value in self._taken:
            value += "'"
        self._taken.add(value)
        return value


def input_layer(name: str, shape: Sequence[int]) -> Layer:
    """An Input of this name and shape."""
    dims = Message("BlobShape", tuple(Field("dim", n) for n in shape))
    params = Message("InputParameter", (Field("shape", dims),))
    return make_layer(
        f"{name} (input)", "Input", (), (name,), Message("LayerParameter", (Field("input_param", params),))
    )
