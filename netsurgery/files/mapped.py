"""Files mapped into memory, and where in them an array lies."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..aliases import Array, StrPath
from ..errors import NetsurgeryError, Source, WeightsError
from .faults import guard

Identity = tuple[int, int, int, int]
"""Device, inode, size and time of change of a file."""


class MappedFile(mmap.mmap):
    """A whole file, read-only, that stays readable when it is renamed or deleted.

    `descriptor` stays open as long as any array looks into the map, so that the kernel can copy from it.
    """

    path: str
    descriptor: int
    address: int
    identity: Identity

    def require_unchanged(self) -> None:
        """Raises: WeightsError if the file was written to or cut off since it was mapped: its values are others now, and to read where
        it has ended would end the process."""
        if _identity(os.fstat(self.descriptor)) != self.identity:
            raise self.changed()

    def changed(self) -> WeightsError:
        """The error of a file that is not what was mapped, to be raised."""
        size = os.fstat(self.descriptor).st_size
        how = f"it has {size} bytes" if size != len(self) else "it was written to"
        return WeightsError(
            f"has changed since it was read: {how}",
            source=Source(self.path),
            expected=f"the {len(self)} bytes that were there",
            fix="load it again; to replace a file that is in use, write another one and rename it",
        )

    def __del__(self) -> None:
        os.close(self.descriptor)


def map_file(path: StrPath, error: type[NetsurgeryError] = WeightsError) -> MappedFile:
    """Map a file. Raises: `error` if it is missing, unreadable, no ordinary file, or empty."""
    name = os.fspath(path)
    try:
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as failure:
        reason = getattr(failure, "strerror", None) or "no path may hold a null character"
        if isinstance(failure, OSError) and os.path.isdir(name):
            reason = "is a folder"
        raise error(f"cannot be opened: {reason}", source=Source(name), expected="a file that can be read") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise error("cannot be opened: is a folder", source=Source(name), expected="a file that can be read")
        if not stat.S_ISREG(status.st_mode):
            raise error("is no ordinary file", source=Source(name), expected="a file on a disk: it is mapped, not read")
        if not status.st_size:
            raise error("the file is empty", source=Source(name))
        mapped = MappedFile(descriptor, 0, access=mmap.ACCESS_READ)
    except BaseException as failure:
        os.close(descriptor)
        if isinstance(failure, OSError):
            raise error(f"cannot be mapped: {failure.strerror}", source=Source(name)) from None
        raise
    mapped.path = os.path.abspath(name)
    mapped.descriptor = descriptor
    mapped.address = int(np.frombuffer(mapped, np.uint8, 1).__array_interface__["data"][0])
    mapped.identity = _identity(status)
    guard(mapped)
    return mapped


def identity(path: StrPath) -> Identity | None:
    """Which file that is, and as of when; None if there is none."""
    try:
        return _identity(os.stat(path))
    except (OSError, ValueError):
        return None


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def find(array: Array) -> tuple[MappedFile, int] | None:
    """The map in which the values of `array` lie side by side, and the byte where they begin; None if there is none."""
    if not array.flags.c_contiguous or array.dtype.byteorder == ">":
        return None
    base = _file_of(array)
    return None if base is None else (base, int(array.__array_interface__["data"][0]) - base.address)


def _file_of(array: Array) -> MappedFile | None:
    """The map in which the values of `array` lie."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, MappedFile) else None


def require_unchanged(arrays: Iterable[Array]) -> None:
    """Raises: WeightsError if a file in which values of the arrays lie has changed since it was mapped."""
    for file in {id(file): file for array in arrays if (file := _file_of(array)) is not None}.values():
        file.require_unchanged()


def locate(array: Array) -> tuple[str, int] | None:
    """(absolute path, byte offset) of the file that holds `array` as it is (little-endian float32, C order), else None.

    Also None once the file has been replaced, renamed or written to: its path no longer names these bytes.
    """
    if array.dtype != np.dtype("<f4"):
        return None
    place = find(array)
    if place is None:
        return None
    mapped, offset = place
    return (mapped.path, offset) if identity(mapped.path) == mapped.identity else None
