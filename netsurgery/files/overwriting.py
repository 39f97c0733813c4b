"""No output is ever an input: what would be written is held against what is read, before any work."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from ..errors import NetsurgeryError, Source

BESIDE = {".prototxt": (".caffemodel",), ".onnx": (".onnx.data",)}
"""What is written beside a file of this kind, by the ending that takes the place of its own."""


def require_no_input(outputs: Iterable[str], inputs: Iterable[str], fix: str = "another name for the output") -> None:
    """Raises: NetsurgeryError if an output, or what is written beside it, is one of the files that are read: the same file, by whatever
    name or link."""
    read = {identity: path for path in inputs if (identity := _identity(path))}
    for output in outputs:
        for path in (output, *_beside(output)):
            source = read.get(_identity(path) or (-1, -1))
            if source is not None:
                same = "" if source == path else f": it is the same file as {source}"
                raise NetsurgeryError(f"is read, and would be overwritten{same}", source=Source(path), fix=fix)


def _beside(output: str) -> Iterator[str]:
    stem, suffix = os.path.splitext(output)
    yield from (stem + ending for ending in BESIDE.get(suffix, ()))
    if os.path.isdir(output):
        yield from (os.path.join(output, name) for name in ("init_net.pb", "predict_net.pb"))


def _identity(path: str) -> tuple[int, int] | None:
    """The device and the inode of a regular file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
