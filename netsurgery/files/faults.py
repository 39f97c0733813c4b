"""Reads of a mapped file where it has been cut off: the error of a file, where the system would end the process (SIGBUS).

Between a look at the size of a file and a sum over its map, anybody may cut the file off. Nothing but the fault itself tells, so it is
taken: zeros are put in place of what is gone, and the thread that was reading gets a WeightsError as soon as it is back in Python.
Elsewhere than on 64-bit Linux, a file that shrinks in that moment still ends the process.
"""

from __future__ import annotations

import ctypes
import mmap
import signal
import sys
from functools import cache
from threading import get_ident
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from ..errors import WeightsError

if TYPE_CHECKING:
    from .mapped import MappedFile

_SIGINFO, _NO_DEFER, _ADDRESS = 4, 0x40000000, 16
"""SA_SIGINFO and SA_NODEFER; the place of si_addr in a siginfo_t of 64 bits."""
_FIXED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x10 if sys.platform == "linux" else 0
_maps: WeakSet[MappedFile] = WeakSet()


class _Action(ctypes.Structure):
    """struct sigaction of Linux, 64 bits: glibc and musl agree."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def guard(file: MappedFile) -> None:
    """From now on, reading this map where its file has ended is an error."""
    _maps.add(file)
    _installed()


def _error_class(error: WeightsError) -> type[WeightsError]:
    """A class whose instances are that error: threads are handed classes to raise."""

    def init(self: WeightsError) -> None:
        Exception.__init__(self, *error.args)
        vars(self).update(vars(error))

    return type(WeightsError.__name__, (WeightsError,), {"__init__": init, "__module__": WeightsError.__module__})


@cache
def _installed() -> Any:
    """What takes the faults, and what took them before; None where nothing does."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return None
    library = ctypes.PyDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
    raise_in = library.PyThreadState_SetAsyncExc
    raise_in.argtypes = (ctypes.c_ulong, ctypes.py_object)
    before = _Action()

    def handle(number: int, information: int, context: int) -> object:
        at = ctypes.c_size_t.from_address(information + _ADDRESS).value
        for file in list(_maps):
            if file.address <= at < file.address + len(file):
                page = at // mmap.PAGESIZE * mmap.PAGESIZE
                length = file.address + len(file) - page
                if library.mmap(page, length, mmap.PROT_READ, _FIXED, -1, 0) == page:
                    file.identity = (0, 0, 0, 0)  # whatever it may be again: these are not its numbers
                    thread, error = get_ident(), _error_class(file.changed())
                    # no call: behind one, Python would look for what is to be raised while it is still in here
                    return [*map(raise_in, [thread], [error])]
        # none of ours: it happens again, to whom it concerns
        library.sigaction(signal.SIGBUS, ctypes.byref(before), None)
        return None

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(handle)
    action = _Action(ctypes.cast(handler, ctypes.c_void_p), flags=_SIGINFO | _NO_DEFER)
    library.sigaction(signal.SIGBUS, ctypes.byref(action), ctypes.byref(before))
    return handler, before
