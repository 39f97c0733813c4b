"""Figures drawn in processes of their own, beside the one that runs the net: drawing holds Python's lock, and would hold up the rest.

Its process draws what comes in on stdin: pickled pairs of a function that makes a figure and its
arguments; out come the lengths (8 bytes) of PNG files, and the files.
"""

from __future__ import annotations

import atexit
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from queue import Empty, LifoQueue
from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import NetsurgeryError
from .figures import figure_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORTH_IT = 8
"""Figures, at least, for which a process is started: importing matplotlib takes longer than drawing a few."""

_idle: LifoQueue[subprocess.Popen[bytes]] = LifoQueue()


def drawn(make: Callable[..., Figure], *args: Any) -> bytes:
    """The PNG file of make(*args), by a process that has nothing else to do; a new one, if there is none.

    Raises: NetsurgeryError if the process ends."""
    try:
        process = _idle.get_nowait()
    except Empty:
        process = _started()
    assert process.stdin is not None and process.stdout is not None
    try:
        pickle.dump((make, args), process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        count = int.from_bytes(process.stdout.read(8), "little")
        png = process.stdout.read(count)
    except BrokenPipeError:
        count, png = 0, b""
    if not count or len(png) != count:
        process.kill()
        raise NetsurgeryError("the process that draws figures has ended", expected="a figure")
    _idle.put(process)
    return png


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    atexit.register(process.kill)
    return process


def main() -> None:
    """Draws until stdin ends, or nobody waits for what is drawn."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while (task := _next(source)) is not None:
        make, args = task
        png = figure_png(make(*args))
        try:
            sink.write(len(png).to_bytes(8, "little") + png)
            sink.flush()
        except BrokenPipeError:
            os._exit(0)  # which flushes nothing


def _next(source: BinaryIO) -> tuple[Callable[..., Figure], tuple[Any, ...]] | None:
    try:
        task: tuple[Callable[..., Figure], tuple[Any, ...]] = pickle.load(source)
    except EOFError:
        return None
    return task
