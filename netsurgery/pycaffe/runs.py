"""Stretches of a net as they are run: what is computed at once, what is owed, and which program does it."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from .blob import Blob, Memory
from .op import put
from .program import Program
from .stretch import Stretch

if TYPE_CHECKING:
    from .blob import Array
    from .slot import Slot

FEW = 4
"""Inner blobs that are asked for: with more of them, all are computed at once."""
COMPARED_BYTES = 32 << 20
"""Parameters that a script holds views of are compared with what was compiled, if they are not larger than this together."""
OFTEN = 2
"""Runs of which several values were asked for, after which all are computed at once."""
PROGRAMS = 6
"""Programs that a stretch keeps of a kind."""
SETTLED = 10
"""Runs with the same edited parameters after which they are compiled as constants."""


class Run:
    """One forward of a stretch: what it was computed from, so that it can be asked for more."""

    def __init__(self, runner: Runner, feeds: dict[str, Array], weights: dict[int, Array]) -> None:
        self.runner, self.feeds, self.weights = runner, feeds, weights
        self.shapes = {name: array.shape for name, array in feeds.items()}
        self.owing: dict[str, weakref.ref[Memory]] = {}
        self.late = 0
        self._kept: dict[str, Array] = {}

    def values(self, names: Collection[str]) -> dict[str, Array]:
        """Values that the layers of the stretch read in this run, also those that were overwritten since."""
        if any(name not in self.feeds and name not in self._kept for name in names):
            self._kept |= self.runner.compute(self, {*names, *self.runner.stretch.overwritten} - self.feeds.keys())
        return {name: self.feeds[name] if name in self.feeds else self._kept[name] for name in names}

    def bottom(self, slot: Slot, index: int) -> Array:
        """What the layer read in this run as its bottom `index`; behind the bottoms come the states of recurrent layers."""
        value, blob = self.runner.stretch.reads[slot][index], slot.op.reads[index]
        promise = blob.data_memory.promise
        if isinstance(promise, Owed) and promise.run is self and promise.value == value:
            return blob.read_data()
        return self.values([value])[value]

    def keep(self, values: Mapping[str, Array]) -> None:
        """Holds on to what gradients go back to: a script that looks at it from now on gets a copy."""
        for value in self.runner.stretch.sources & values.keys():
            values[value].flags.writeable = False
            self._kept[value] = values[value]

    def owe(self, value: str, memory: Memory) -> None:
        memory.promise = Owed(self, value)
        self.owing[value] = weakref.ref(memory)  # no circle: what nobody looks at goes at once


class Owed:
    """A promise of a value of a run."""

    def __init__(self, run: Run, value: str) -> None:
        self.run, self.value = run, value

    def keep(self, memory: Memory) -> None:
        run = self.run
        run.owing.pop(self.value, None)
        run.late += 1
        values = run.runner.late(run, self.value)
        run.keep(values)
        memory.put(values[self.value], adopt=True)
        for value, ref in list(run.owing.items()):
            other = ref()
            promise = other.promise if other is not None else None
            if value in values and isinstance(promise, Owed) and promise.run is run and other is not None:
                other.put(values[value], adopt=True)
                del run.owing[value]


class Runner:
    """Runs a stretch, with programs that are kept. `always` are values that others need, or that go back to where they came from."""

    def __init__(self, stretch: Stretch, always: Collection[str]) -> None:
        self.stretch = stretch
        self.finals = stretch.finals
        self.always = [value for value in self.finals if value in always]
        self.habit: set[str] = set()
        self._asked = 0
        self.latest: Run | None = None
        self._constant: dict[frozenset[str], Program] = {}
        self._loose: dict[frozenset[str], Program] = {}
        self._bound: dict[int, Array] | None = None
        self._last: dict[int, Array] | None = None
        self._same = 0
        self._quiet: tuple[dict[int, Array], list[tuple[Blob, Memory, Array]]] | None = None
        """Parameters of which nobody held a view at the last run."""

    def run(self, extra: Collection[str], all_values: bool = False) -> None:
        """Computes the stretch from what the blobs hold: the values that are needed now go into their blobs, the others are owed."""
        stretch = self.stretch
        feeds = {
            name: blob.data_memory.frozen()[: blob.count].reshape(blob.sizes) for name, blob in stretch.inputs.items()
        }
        weights, edited = self._weights()
        run = self.latest = Run(self, feeds, weights)
        held = {v for v, blob in self.finals.items() if blob.data_memory.is_held}
        if edited or all_values:
            targets = set(self.finals)
        else:
            self.habit |= held
            targets = {*self.always, *self.habit, *extra}
        targets -= feeds.keys()
        values = self._program(run, targets).run(feeds, weights) if targets else {}
        run.keep(values)
        for value, blob in self.finals.items():
            if value in values:
                put(blob, values[value])
            elif value not in feeds:
                run.owe(value, blob.data_memory)
            elif stretch.inputs[value].data_memory is not blob.data_memory:
                put(blob, feeds[value], adopt=False)

    def late(self, run: Run, value: str) -> dict[str, Array]:
        """A value that was not thought to be needed, and is from now on. Who asks twice is given all there is, and from the third such run
        on has it at once."""
        self.habit.add(value)
        whole = self.finals.keys() - run.feeds.keys()
        if run.late == 1 and not self._asked:
            targets = {*self.always, *self.habit} - run.feeds.keys()
        else:
            targets = whole
            self._asked += run.late == 2
            if self._asked >= OFTEN:
                self.habit = set(self.finals)
        return self.compute(run, targets)

    def compute(self, run: Run, targets: Collection[str]) -> dict[str, Array]:
        """Values of a run, with whatever else the program gives."""
        return self._program(run, {*targets}).run(run.feeds, run.weights)

    def _weights(self) -> tuple[dict[int, Array], bool]:
        """The parameters for this run, and whether some of them may change before it is asked again."""
        if self._quiet and all(b.data_memory is memory and memory.is_still(flat) for b, memory, flat in self._quiet[1]):
            return self._quiet[0], False
        self._quiet = None
        params = {id(blob): blob for blob in self.stretch.params}
        held = {key: blob for key, blob in params.items() if blob.data_memory.is_held}
        weights = {key: self._settled(key, blob) for key, blob in params.items() if key not in held}
        if not held:
            still = [(blob, blob.data_memory, blob.data_memory.frozen()) for blob in params.values()]
            self._quiet = weights, still
            return weights, False
        compared = sum(4 * blob.count for blob in held.values()) <= COMPARED_BYTES
        edited = False
        for key, blob in held.items():
            now = blob.read_data()
            before = (self._bound or {}).get(key)
            last = (self._last or {}).get(key)
            if compared and before is not None and _same(now, before):
                weights[key] = before
            elif compared and last is not None and _same(now, last):
                weights[key] = last
            elif compared or self._bound is None:
                weights[key] = now.copy()
            else:
                weights[key], edited = now, True
        return weights, edited

    def _settled(self, key: int, blob: Blob) -> Array:
        """The numbers of a parameter of which nobody holds a view: those that were compiled, if they are the same."""
        now = _frozen(blob)
        for bindings in (self._bound, self._last):
            before = bindings.get(key) if bindings else None
            if before is not None and now is not before and _same(now, before):
                blob.data_memory.put(before, adopt=True)
                return before
        return now

    def _program(self, run: Run, targets: set[str]) -> Program:
        """A program that gives these values."""
        if self._bound is None:
            self._bound = run.weights
        if all(run.weights[key] is array for key, array in self._bound.items()):
            self._same = 0
            return self._pick(self._constant, run, targets, constant=True)
        same = self._last is not None and all(run.weights[k] is a for k, a in self._last.items())
        self._same = self._same + 1 if same else 0
        self._last = run.weights
        if self._same >= SETTLED:
            self._bound, self._same = run.weights, 0
            self._constant.clear()
            return self._pick(self._constant, run, targets, constant=True)
        return self._pick(self._loose, run, targets, constant=False)

    def _pick(self, programs: dict[frozenset[str], Program], run: Run, targets: set[str], *, constant: bool) -> Program:
        for outputs, program in list(programs.items()):
            if not program.fits(run.shapes, run.weights):
                if program.shapes is None:
                    del programs[outputs]
                continue
            if targets == outputs or (targets < outputs and (len(outputs) <= len(targets) + FEW or len(targets) > FEW)):
                return program
        if len(targets - set(self.always)) > FEW:
            targets = targets | (self.finals.keys() - run.feeds.keys())
        for outputs in [o for o in programs if o <= targets] or list(programs)[: len(programs) - PROGRAMS + 1]:
            del programs[outputs]
        program = Program(self.stretch, sorted(targets), run.shapes, run.weights, constant=constant)
        programs[frozenset(targets)] = program
        return program


def _frozen(blob: Blob) -> Array:
    """The blob's numbers for good; the same array as long as they are the same."""
    flat = blob.data_memory.frozen()
    if flat.size == blob.count and flat.shape == blob.sizes:
        return flat
    key = blob.sizes
    cache = blob.data_memory.shaped
    if cache is None or cache[0] is not flat or cache[1].shape != key:
        blob.data_memory.shaped = cache = flat, flat[: blob.count].reshape(key)
    return cache[1]


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a.reshape(-1).view(np.int32), b.reshape(-1).view(np.int32)))
