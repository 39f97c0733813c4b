"""Outputs appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ..errors import NetsurgeryError, Source


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends without an error; until then nothing changes.

    It is written beside `path` (beside what a symbolic link points to): taking its place is one step of the system.

    Raises: NetsurgeryError if it cannot be written.
    """
    name = os.fspath(path)
    source = Source(name)
    target = os.path.realpath(name)
    try:
        if not stat.S_ISREG(os.stat(target).st_mode):
            what = "is a folder" if os.path.isdir(target) else "is no ordinary file"
            raise NetsurgeryError(f"cannot be written: {what}", source=source, expected="the path of a file")
    except (OSError, ValueError):
        pass  # It is not there yet; or writing will tell what is wrong.
    folder, base = os.path.split(target)
    temporary = os.path.join(folder, f".{base[:64]}.{secrets.token_hex(6)}.part")
    try:
        # Not tempfile: its files are readable by their owner only, whatever the umask.
        file = os.fdopen(os.open(temporary, _FLAGS, 0o666), "wb")
    except (OSError, ValueError) as failure:
        raise _unwritable(failure, source) from None
    try:
        with file:
            yield file
        os.replace(temporary, target)
    except OSError as failure:
        raise _unwritable(failure, source) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _unwritable(failure: Exception, source: Source) -> NetsurgeryError:
    reason = getattr(failure, "strerror", None) or str(failure)
    return NetsurgeryError(
        f"cannot be written: {reason}", source=source, fix="choose a folder that exists, is writable and has room"
    )
