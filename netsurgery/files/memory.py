"""Memory given back to the system before the process ends (where a system cannot, nothing happens), and the search for it put off."""

from __future__ import annotations

import gc
import mmap
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from .mapped import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


@contextmanager
def uncollected() -> Iterator[None]:
    """Python looks for no cycles meanwhile, in no thread: what is made here are trees, and each search would walk all of them."""
    global _pauses, _paused
    with _PAUSING:
        if not _pauses:
            _paused = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _PAUSING:
            _pauses -= 1
            if not _pauses and _paused:
                gc.enable()


_PAUSING = Lock()
_pauses, _paused = 0, False


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
