"""The boundary of a reader: whatever a library raises on a damaged file becomes one error that names the file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from shlex import quote
from typing import IO

from ..aliases import StrPath
from ..errors import NetsurgeryError, ParseError, Placed, Source


@contextmanager
def reading(
    path: StrPath | Source,
    expected: str = "",
    *,
    error: type[NetsurgeryError] = ParseError,
    problem: str = "cannot be read",
    layer: str | Placed = "",
    fix: str = "",
) -> Iterator[None]:
    """What a library reads stands within. Errors of ours pass; all others become `error`: what they say, and the file's name.

    Raises: `error`.
    """
    try:
        yield
    except NetsurgeryError:
        raise
    except Exception as failure:
        source = path if isinstance(path, Source) else Source(os.fspath(path))
        text = f"{problem}: {reason(failure)}"
        raise error(text, layer=layer, source=source, expected=expected, fix=fix) from None


@contextmanager
def package(
    problem: str,
    name: str,
    *,
    error: type[NetsurgeryError] = NetsurgeryError,
    layer: str | Placed = "",
    source: Source | None = None,
) -> Iterator[None]:
    """What package `name` brings, or an extra of ours, is imported within. Raises: `error` if it is not installed."""
    try:
        yield
    except ImportError:
        raise error(problem, layer=layer, source=source, fix=f"pip install {quote(name)}") from None


def reason(failure: Exception) -> str:
    """What an exception says, in one line."""
    if isinstance(failure, MemoryError):
        return "not enough memory"
    if isinstance(failure, RecursionError):
        return "it is nested too deep"
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    text = " ".join(str(failure).split())[:500]
    if isinstance(failure, LookupError) or not text:
        return f"{type(failure).__name__} {text}".strip()
    return text


def open_file(path: StrPath, expected: str = "", error: type[NetsurgeryError] = ParseError) -> IO[bytes]:
    """A regular file, opened: a FIFO or a device, on which reading may wait for ever, is refused. Raises: `error`."""
    name = os.fspath(path)
    source = Source(name)
    try:
        descriptor = os.open(name, os.O_RDONLY | _FLAGS)
    except (OSError, ValueError) as failure:
        folder = isinstance(failure, OSError) and os.path.isdir(name)
        problem = "this is a folder" if folder else f"cannot be read: {_why(failure)}"
        raise error(problem, source=source, expected=expected) from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise error("this is a folder", source=source, expected=expected)
        raise error("is no ordinary file", source=source, expected=expected, fix="save it as a file first")
    return os.fdopen(descriptor, "rb")


def read_file(
    path: StrPath, limit: int, expected: str = "a prototxt file", error: type[NetsurgeryError] = NetsurgeryError
) -> bytes:
    """The bytes of a file, or the first of them. Raises: `error` if it cannot be read."""
    with open_file(path, expected, error) as file, reading(path, expected, error=error):
        return file.read(
            min(limit, os.fstat(file.fileno()).st_size)
        )  # a buffer of the limit's size would be made at once


def _why(failure: Exception) -> str:
    return getattr(failure, "strerror", None) or str(failure)


_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
