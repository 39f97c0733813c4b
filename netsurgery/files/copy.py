"""Values from where they are into a file: by the kernel where both are files, never through a second copy in memory."""

from __future__ import annotations

import errno
import os
import sys
from typing import BinaryIO

import numpy as np

from ..aliases import Array
from ..errors import Source, WeightsError
from .mapped import MappedFile, find, require_unchanged

CHUNK = 1 << 24
"""Bytes that go through memory at once when they have to."""

_NOT_HERE = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF, errno.ENOTSOCK}
"""What the kernel says when it cannot copy between these two files. (A full disk is another matter.)"""


def copy_array(array: Array, out: BinaryIO) -> None:
    """Write the values of `array` as little-endian float32 in C order."""
    require_unchanged([array])
    if array.dtype == np.dtype("<f4"):
        place = find(array)
        if place is not None:
            copy_range(place[0], place[1], array.nbytes, out)
            return
    # Row by row as far as needed: an array that is not in order, or of another type, is not copied as a whole.
    rows = max(1, CHUNK * len(array) // max(1, 4 * array.size)) if array.ndim else 1
    if array.ndim and array.flags.c_contiguous:
        array, rows = array.reshape(-1), CHUNK // 4
    for start in range(0, len(array), rows) if array.ndim else (0,):
        part = array[start : start + rows] if array.ndim else array
        if part.size:
            out.write(np.ascontiguousarray(part, "<f4").reshape(-1).view(np.uint8).data)


def copy_range(source: MappedFile, offset: int, length: int, out: BinaryIO) -> None:
    """Append `length` bytes of a mapped file to `out`, copied by the kernel where it can (Linux): not read here."""
    source.require_unchanged()
    end = offset + length
    out.flush()
    position = out.tell()
    if sys.platform == "linux":
        offset = _kernel_copy(source.descriptor, offset, end, out.fileno())
        position += length - (end - offset)
        out.seek(position)
    while offset < end:
        part = _read(source, offset, min(CHUNK, end - offset))
        out.write(part)
        offset += len(part)
    source.require_unchanged()


def _read(source: MappedFile, offset: int, count: int) -> bytes | memoryview:
    """Some bytes of the file, read and not looked at in the map: where the file has been cut off meanwhile, that is an error and not
    the end of the process."""
    if not hasattr(os, "pread"):  # Windows cuts off no file that is mapped
        return memoryview(source)[offset : offset + count]
    part = os.pread(source.descriptor, count, offset)
    if not part:
        source.require_unchanged()
        raise WeightsError("ends too early", source=Source(source.path), fix="load it again")
    return part


def _kernel_copy(source: int, offset: int, end: int, target: int) -> int:
    """Copies as much as the kernel is able to; where it stopped."""
    for copy in (_copy_file_range, _sendfile):
        try:
            while offset < end:
                done = copy(source, offset, min(end - offset, 1 << 30), target)
                if not done:
                    break
                offset += done
        except OSError as failure:
            if failure.errno not in _NOT_HERE:
                raise
    return offset


def _copy_file_range(source: int, offset: int, count: int, target: int) -> int:
    return os.copy_file_range(source, target, count, offset)


def _sendfile(source: int, offset: int, count: int, target: int) -> int:
    return os.sendfile(target, source, offset, count)
