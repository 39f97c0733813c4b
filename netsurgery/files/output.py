"""Outputs appear whole or not at all."""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import BinaryIO

from ..aliases import StrPath
from ..errors import NetsurgeryError, Source


@contextmanager
def replacing(path: StrPath) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends without an error; until then nothing changes.

    It is written beside `path` (beside what a symbolic link points to): taking its place is one step of the system.

    Raises: NetsurgeryError if it cannot be written.
    """
    with replacing_all([path]) as (file,):
        yield file


@contextmanager
def replacing_all(paths: Sequence[StrPath]) -> Iterator[list[BinaryIO]]:
    """Files that belong together: all take their places, or none does. In between none of them is there, so that what is read is never
    a mixture of old and new; should the machine stop just then, the old ones are left under names that end in `.old`.

    Raises: NetsurgeryError if one of them cannot be written.
    """
    outputs: list[_Output] = []
    source = Source()
    try:
        with ExitStack() as stack:
            for path in paths:
                source = Source(os.fspath(path))
                outputs.append(_Output(source))
                stack.enter_context(outputs[-1].file)
            yield [output.file for output in outputs]
        _place(outputs)
    except (OSError, ValueError) as failure:
        if isinstance(failure, ValueError) and len(outputs) == len(paths):
            raise  # not ours: it comes from the block
        raise _unwritable(failure, source) from None
    finally:
        for output in outputs:
            with suppress(OSError):
                os.unlink(output.temporary)


class _Output:
    """A temporary file, opened, beside the one whose place it shall take."""

    def __init__(self, source: Source) -> None:
        self.target = os.path.realpath(source.file)
        try:
            if not stat.S_ISREG(os.stat(self.target).st_mode):
                what = "is a folder" if os.path.isdir(self.target) else "is no ordinary file"
                raise NetsurgeryError(f"cannot be written: {what}", source=source, expected="the path of a file")
        except (OSError, ValueError):
            pass  # It is not there yet; or writing will tell what is wrong.
        folder, base = os.path.split(self.target)
        remove_stale(folder or ".")
        self.stem = os.path.join(folder, temporary_name(base))
        self.temporary = f"{self.stem}.part"
        # Not tempfile: its files are readable by their owner only, whatever the umask.
        self.file = os.fdopen(os.open(self.temporary, _FLAGS, 0o666), "wb")


def _place(outputs: Sequence[_Output]) -> None:
    if len(outputs) == 1:
        os.replace(outputs[0].temporary, outputs[0].target)
        return
    old: list[_Output] = []
    new: list[_Output] = []
    try:
        for output in reversed(outputs):
            if os.path.isdir(output.target):  # it could be moved out of the way
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            with suppress(FileNotFoundError):
                os.replace(output.target, f"{output.stem}.old")
                old.append(output)
        for output in outputs:
            os.replace(output.temporary, output.target)
            new.append(output)
    except BaseException:
        for output in new:
            os.unlink(output.target)
        for output in old:
            os.replace(f"{output.stem}.old", output.target)
        raise
    for output in old:
        with suppress(OSError):
            os.unlink(f"{output.stem}.old")


_OWNER = f"{zlib.crc32(platform.node().encode()):08x}"
"""The machine, in names of temporary files: only its own processes are known to be dead."""


def temporary_name(base: str) -> str:
    """A name for what is to become `base`, without the ending `.part`: of this process, should it not live to see that."""
    return f".{base[:64]}.{_OWNER}-{os.getpid()}.{secrets.token_hex(6)}"


@cache
def remove_stale(folder: str) -> None:
    """Removes temporary files and folders of processes of this machine that ended before they could."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            owner = re.fullmatch(rf"\..*\.{_OWNER}-(\d{{1,9}})\.[0-9a-f]{{12}}\.part", entry.name)
            if owner and not _is_alive(int(owner[1])):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)


def _is_alive(process: int) -> bool:
    if process == os.getpid() or sys.platform == "win32":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _unwritable(failure: Exception, source: Source) -> NetsurgeryError:
    reason = getattr(failure, "strerror", None) or str(failure)
    return NetsurgeryError(
        f"cannot be written: {reason}", source=source, fix="choose a folder that exists, is writable and has room"
    )
