"""Caffe's Blob: a shape over two pieces of memory, `data` and `diff`, which blobs may share.

    conv1 ──Split──> conv1_split_0, conv1_split_1       all three: one Memory for data, each its own for diff

A Memory may owe its numbers: a net's forward leaves a promise in the blobs that nobody looks at, and whoever asks for `data` has it kept.
It is handed out as writable views, which stay its memory for as long as a script holds one.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import CaffeError

if TYPE_CHECKING:
    Array = NDArray[np.float32]

MAX_LEGACY_AXES = 4


class Promise(Protocol):
    """Numbers that a Memory owes."""

    def keep(self, memory: Memory) -> None:
        """Puts them there, by `memory.put`."""


class _Lease:
    """What every view of a Memory holds on to: alive as long as one of them is."""

    def __init__(self, flat: Array) -> None:
        self.flat = flat
        self.__array_interface__ = flat.__array_interface__


class Memory:
    """Float32 numbers in a row. A read-only `flat` belongs to somebody else as well (a mapped file, a run that may be asked again):
    it is copied before it is handed out."""

    __slots__ = ("__weakref__", "_flat", "_lease", "capacity", "promise", "shaped")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.promise: Promise | None = None
        self._flat: Array | None = None
        self._lease: weakref.ref[_Lease] | None = None
        self.shaped: tuple[Array, Array] | None = None
        """`flat`, and a view of it in the shape of a blob: kept, so that what is the same is one object."""

    @property
    def is_held(self) -> bool:
        """Whether a script holds a view."""
        return self._lease is not None and self._lease() is not None

    @property
    def was_viewed(self) -> bool:
        """Whether a script ever asked for a view."""
        return self._lease is not None

    @property
    def flat(self) -> Array:
        """The numbers, to be read only."""
        if self.promise is not None:
            promise, self.promise = self.promise, None
            promise.keep(self)
        if self._flat is None:
            self._flat = np.zeros(self.capacity, np.float32)
        return self._flat

    def writable(self) -> Array:
        """The numbers, to be written."""
        flat = self.flat
        if not flat.flags.writeable:
            self._flat = flat = flat.copy()
        return flat

    def view(self, shape: tuple[int, ...]) -> Array:
        """A writable view for a script."""
        flat = self.writable()
        lease = self._lease() if self._lease is not None else None
        if lease is None or lease.flat is not flat:
            lease = _Lease(flat)
            self._lease = weakref.ref(lease)
        whole: Array = np.asarray(lease)
        count = prod(shape)
        return (whole if count == whole.size else whole[:count]).reshape(shape)

    def read(self, shape: tuple[int, ...]) -> Array:
        """The numbers in a shape, to be read only."""
        flat = self.flat
        count = prod(shape)
        return (flat if count == flat.size else flat[:count]).reshape(shape)

    def is_still(self, flat: Array) -> bool:
        """Whether it holds these numbers, which nobody can write to."""
        return self._flat is flat and self.promise is None and not (flat.flags.writeable or self.is_held)

    def put(self, values: NDArray[Any], *, adopt: bool = False) -> None:
        """New numbers in place of the first ones. With `adopt` the array itself may become the memory, if nobody holds a view."""
        self.promise = None
        if adopt and not self.is_held and values.size == self.capacity and _adoptable(values):
            self._flat = values.reshape(-1)
            return
        if self._flat is None or not self._flat.flags.writeable:
            self._flat = np.zeros(self.capacity, np.float32) if self._flat is None else self._flat.copy()
        self._flat[: values.size] = values.reshape(-1)

    def frozen(self) -> Array:
        """The numbers as they are now, for good: whoever gets a view from now on gets it of a copy."""
        flat = self.flat
        if self.is_held:
            return flat.copy()
        flat.flags.writeable = False
        return flat


def _adoptable(values: NDArray[Any]) -> bool:
    return values.dtype == np.float32 and values.flags.c_contiguous


class Blob:
    """A blob as scripts know it: `data`, `diff`, `shape`, `count`, `num`, `channels`, `height`, `width` and `reshape`."""

    __slots__ = ("__weakref__", "_count", "_shape", "data_memory", "diff_memory")

    changes: ClassVar[int] = 0
    """How often any blob was given another shape by a script: nets look again at their shapes when it has grown."""

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self._shape: tuple[int, ...] = (0,)
        self._count = 0
        self.data_memory = Memory(0)
        self.diff_memory = Memory(0)
        self.resize(tuple(shape))

    @property
    def data(self) -> Array:
        """The numbers: a writable view."""
        return self.data_memory.view(self._shape)

    @property
    def diff(self) -> Array:
        """The gradients: a writable view."""
        return self.diff_memory.view(self._shape)

    @property
    def shape(self) -> list[int]:
        return list(self._shape)

    @property
    def sizes(self) -> tuple[int, ...]:
        """`shape` as a tuple."""
        return self._shape

    @property
    def count(self) -> int:
        return self._count

    @property
    def num(self) -> int:
        return self._legacy(0)

    @property
    def channels(self) -> int:
        return self._legacy(1)

    @property
    def height(self) -> int:
        return self._legacy(2)

    @property
    def width(self) -> int:
        return self._legacy(3)

    def _legacy(self, axis: int) -> int:
        if len(self._shape) > MAX_LEGACY_AXES:
            raise CaffeError(
                f"num, channels, height and width of a blob with {len(self._shape)} axes",
                expected="at most 4 axes",
                fix="use blob.shape",
            )
        return self._shape[axis] if axis < len(self._shape) else 1

    def reshape(self, *dims: int, **options: object) -> None:
        """Another shape; the memory stays while it is large enough. Raises: CaffeError for keywords and sizes below 0."""
        if options:
            raise CaffeError("Blob.reshape takes no kwargs", expected="sizes: blob.reshape(1, 3, 224, 224)")
        shape = tuple(int(n) for n in dims)
        if any(n < 0 for n in shape):
            raise CaffeError(f"Blob.reshape to {shape}", expected="sizes of 0 or more")
        if shape != self._shape:
            Blob.changes += 1
            self.resize(shape)

    def resize(self, shape: tuple[int, ...]) -> None:
        """`reshape` by the net itself."""
        self._shape = shape
        self._count = prod(shape)
        if self._count > self.data_memory.capacity:
            self.data_memory = Memory(self._count)
        if self._count > self.diff_memory.capacity:
            self.diff_memory = Memory(self._count)

    def share_data(self, other: Blob) -> None:
        """From here on the data of `other` are its own."""
        self.data_memory = other.data_memory

    def share_diff(self, other: Blob) -> None:
        """From here on the diffs of `other` are its own."""
        self.diff_memory = other.diff_memory

    def read_data(self) -> Array:
        """The numbers, to be read only."""
        return self.data_memory.read(self._shape)

    def read_diff(self) -> Array:
        """The gradients, to be read only."""
        return self.diff_memory.read(self._shape)

    def write_diff(self, values: NDArray[Any] | float) -> None:
        """New gradients."""
        self.diff_memory.writable()[: self._count].reshape(self._shape)[...] = values

    def add_diff(self, values: NDArray[Any]) -> None:
        """Gradients on top of those that are there."""
        self.diff_memory.writable()[: self._count].reshape(self._shape)[...] += values.reshape(self._shape)


class BlobVec(list[Blob]):
    """The blobs of a layer, to which a layer of one's own may add."""

    def add_blob(self, *dims: int, **options: object) -> None:
        """A new blob of this shape, zeros. Raises: CaffeError for keywords."""
        if options:
            raise CaffeError("BlobVec.add_blob takes no kwargs", expected="sizes: blobs.add_blob(4, 3)")
        self.append(Blob([int(n) for n in dims]))
