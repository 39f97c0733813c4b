"""Forward: shapes, then layers one after another, those that are compiled together in stretches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from .blob import Blob
from .kind_op import KindOp
from .runs import Runner
from .slot import Slot
from .stretch import Stretch, places

Hook = Callable[[int], object]
Sizes = tuple[tuple[int, ...], ...]
REMEMBERED = 256
"""Input sizes of which the sizes of all blobs are remembered."""


class Item:
    """A part of a forward: a stretch that is compiled, or one layer that runs by itself."""

    def __init__(self, slots: Sequence[Slot], runner: Runner | None) -> None:
        self.slots, self.runner = list(slots), runner
        self.heads = list(dict.fromkeys(b for s in slots for b in s.op.reads))
        self.tops = list(dict.fromkeys(b for s in slots for b in s.op.writes))
        self.inputs = _inputs(slots)
        self.key: object = None
        self._shapes: dict[Sizes, list[tuple[int, ...]]] = {}
        """Sizes of the inputs -> of the tops, as they came out before."""
        self.sharing = [slot.op for slot in slots if isinstance(slot.op, KindOp) and slot.op.shares_data]

    def reshape(self) -> None:
        """Shapes of all that it computes, if any blob has changed."""
        key = Blob.changes, *(blob.sizes for blob in self.heads)
        if key == self.key and self.runner is not None:
            return
        sizes = tuple(blob.sizes for blob in self.inputs)
        if self.runner is None or sizes not in self._shapes:
            for slot in self.slots:
                slot.op.reshape()
            self._remember(sizes)
        else:
            for top, shape in zip(self.tops, self._shapes[sizes], strict=True):
                if top.sizes != shape:
                    top.resize(shape)
            for op in self.sharing:
                if op.shares_diff:
                    op.share()
        self.key = Blob.changes, *(blob.sizes for blob in self.heads)

    def _remember(self, sizes: Sizes) -> None:
        if self.runner is not None and not any(isinstance(s.op, KindOp) and any(s.op.free) for s in self.slots):
            if len(self._shapes) >= REMEMBERED:
                self._shapes.clear()
            self._shapes[sizes] = [top.sizes for top in self.tops]


class Engine:
    """Runs the layers of a net. `results` are blobs that are always computed at once: outputs, losses."""

    def __init__(self, slots: Sequence[Slot], names: Sequence[tuple[Blob, str]], results: Collection[Blob]) -> None:
        self.slots, self.results = list(slots), set(results)
        self.names = dict(names)
        for slot in slots:
            for i, blob in enumerate(slot.op.writes):
                self.names.setdefault(blob, f"{slot.name}:{i}")
        self.where = places(self.slots)
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self._plans: dict[tuple[int, int], list[Item]] = {}
        self._single: dict[int, Item] = {}

    def reshape(self) -> None:
        """Shapes of all blobs, from those of the inputs."""
        for slot in self.slots:
            slot.op.reshape()

    def forward(self, start: int, end: int, extra: Collection[Blob] = ()) -> float:
        """Layers `start` to `end`, both included. `extra` blobs are wanted at once. Gives the loss.

        Raises: IndexError for a range outside of the net; what layers raise."""
        if not (start >= 0 and end < len(self.slots)):
            raise IndexError(f"layers {start} to {end} of {len(self.slots)}")
        if self.before or self.after:
            return self._hooked(start, end)
        if (start, end) not in self._plans:
            self._plans[start, end] = self._plan(start, end)
        cells = {self.where[blob][0] for blob in extra if blob in self.where}
        for item in self._plans[start, end]:
            self._run(item, cells)
        return self._loss(start, end)

    def _hooked(self, start: int, end: int) -> float:
        """Layer by layer, with the script's functions before and behind each."""
        for index in range(start, end + 1):
            for hook in self.before:
                hook(index)
            slot = self.slots[index]
            if index not in self._single:
                self._single[index] = self._items([slot], range(index, index + 1))[0]
            self._run(self._single[index], {self.where[blob][0] for blob in slot.op.writes})
            for hook in self.after:
                hook(index)
        return self._loss(start, end)

    def _run(self, item: Item, cells: Collection[int]) -> None:
        item.reshape()
        runner = item.runner
        if runner is None:
            for slot in item.slots:
                slot.op.forward()
            return
        for op in item.sharing:
            op.share()
        extra = [v for v, blob in runner.finals.items() if runner.stretch.cell(blob) in cells] if cells else []
        runner.run(extra)
        for slot in item.slots:
            slot.trace = runner.latest

    def _plan(self, start: int, end: int) -> list[Item]:
        return self._items(self.slots[start : end + 1], range(start, end + 1))

    def _items(self, slots: Sequence[Slot], numbers: range) -> list[Item]:
        """Layers in stretches as long as can be."""
        groups: list[tuple[list[Slot], Stretch | None]] = []
        for slot in slots:
            stretch = groups[-1][1] if groups else None
            if stretch is not None and stretch.add(slot):
                groups[-1][0].append(slot)
                continue
            fresh = Stretch(self.where, self.names)
            groups.append(([slot], fresh if fresh.add(slot) else None))
        items = []
        later: set[int] = {self.where[blob][0] for blob in self.results}
        for members, stretch in reversed(groups):
            runner = None
            if stretch is not None:
                always = {v for v, b in stretch.finals.items() if stretch.cell(b) in later}
                runner = Runner(stretch, always | stretch.persistent | _free(stretch))
            items.append(Item(members, runner))
            later.update(self.where[blob][0] for slot in members for blob in slot.op.reads)
        return items[::-1]

    def _loss(self, start: int, end: int) -> float:
        total = 0.0
        for slot in self.slots[start : end + 1]:
            for top, weight in zip(slot.tops, slot.loss_weights, strict=True):
                if weight:
                    total += weight * float(top.read_data().sum())
        return total


def _inputs(slots: Sequence[Slot]) -> list[Blob]:
    """What the layers read that none of them has written."""
    inputs: dict[Blob, None] = {}
    written: set[Blob] = set()
    for slot in slots:
        inputs.update(dict.fromkeys(blob for blob in slot.op.reads if blob not in written))
        written.update(slot.op.writes)
    return list(inputs)


def _free(stretch: Stretch) -> set[str]:
    """Values whose shapes are known only when they are there: behind layers whose tops have sizes that the data decide."""
    loose: set[Blob] = set()
    for slot in stretch.slots:
        op = slot.op
        if isinstance(op, KindOp) and (any(op.free) or any(blob in loose for blob in op.reads)):
            loose.update(op.writes)
    return {value for value, blob in stretch.finals.items() if blob in loose}
