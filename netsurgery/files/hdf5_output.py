"""HDF5 into an open file, of which a write may fail: HDF5 itself loses its head where the disk is full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any


@contextmanager
def hdf5_into(out: IO[bytes]) -> Iterator[tuple[Any, Callable[[], None]]]:
    """An h5py.File that is written to `out`, and what raises the OSError of a write that failed. That error does not pass through HDF5,
    which would be left with blocks that it can neither write nor forget, and crash: it is raised at the end of the block at the latest.

    Raises: OSError."""
    import h5py

    file = _Patient(out)
    with h5py.File(file, "w") as data:
        yield data, file.check
    file.check()


class _Patient:
    """A file that goes on as if nothing were wrong once a write has failed; `failure` is the first one."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out = out
        self.failure: OSError | None = None

    def check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                self.out.write(data)
            except OSError as failure:
                self.failure = failure
        return memoryview(data).nbytes

    def read(self, count: int = -1) -> bytes:
        return b"" if self.failure is not None else self.out.read(count)

    def readinto(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        view[:] = self.read(len(view)).ljust(len(view), b"\0")
        return len(view)

    def seek(self, offset: int, whence: int = 0) -> int:
        return offset if self.failure is not None else self.out.seek(offset, whence)

    def tell(self) -> int:
        return 0 if self.failure is not None else self.out.tell()

    def truncate(self, size: int) -> int:
        if self.failure is None:
            try:
                self.out.truncate(size)
            except OSError as failure:
                self.failure = failure
        return size

    def flush(self) -> None:
        if self.failure is None:
            try:
                self.out.flush()
            except OSError as failure:
                self.failure = failure
