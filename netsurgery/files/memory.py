"""Memory given back to the system before the process ends. Where a system cannot, nothing happens."""

from __future__ import annotations

import mmap
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from .mapped import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def let_go(array: NDArray[Any]) -> None:
    """Gives back the pages of an array in a mapped file: what is asked of it again comes from the file again."""
    place = find(array)
    if place is None or not hasattr(mmap, "MADV_DONTNEED"):
        return
    mapped, offset = place
    start = -(-offset // mmap.PAGESIZE) * mmap.PAGESIZE
    stop = (offset + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
    if stop > start:
        mapped.madvise(mmap.MADV_DONTNEED, start, stop - start)


def trim() -> None:
    """Gives back what was freed: glibc holds on to it, in threads above all."""
    _trim()(0)


@cache
def _trim() -> Callable[[int], object]:
    import ctypes

    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return getattr(library, "malloc_trim", lambda pad: None)  # musl has none
