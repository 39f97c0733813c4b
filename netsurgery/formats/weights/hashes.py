"""What identifies a file of weights: all of it, or all but the weights themselves."""

from __future__ import annotations

import hashlib
import os

from ...aliases import StrPath
from ...errors import Source, WeightsError
from ...files.mapped import MappedFile, map_file
from ...files.signatures import is_hdf5
from ...files.wire import BYTES, MalformedError, fields
from .blob import PAYLOADS
from .caffemodel import blob_spans


def sha256(file: StrPath | MappedFile) -> str:
    """The SHA-256 of the whole file, in hexadecimal. It is read, not mapped: pages that are mapped count as this process's memory.

    Raises: WeightsError if it cannot be read.
    """
    data = file if isinstance(file, MappedFile) else map_file(file)
    try:
        with os.fdopen(os.dup(data.descriptor), "rb", buffering=0) as stream:
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as failure:
        raise WeightsError(f"cannot be read: {failure.strerror}", source=Source(data.path)) from None
    data.require_unchanged()
    return digest


def structure_hash(file: StrPath | MappedFile) -> str:
    """The SHA-256 of a caffemodel but for the values of its blobs: names, types, shapes, parameters, where values lie.

    A millisecond whatever the size. An edit of weights in place goes unseen; anything else changes it.

    Raises: WeightsError if it is damaged, or HDF5.
    """
    data = file if isinstance(file, MappedFile) else map_file(file)
    source = Source(data.path if isinstance(file, MappedFile) else os.fspath(file))
    data.require_unchanged()
    if is_hdf5(data):
        raise WeightsError("is an HDF5 file: it has no structure apart from its values", source=source)
    digest = hashlib.sha256(b"%d" % len(data))
    done = 0
    try:
        for start, end in blob_spans(data):
            for number, wire, begin, stop in fields(data, start, end):
                if number in PAYLOADS and wire == BYTES:
                    digest.update(memoryview(data)[done:begin])
                    digest.update(b"%d-%d" % (begin, stop))
                    done = stop
    except MalformedError as error:
        raise WeightsError(error.problem, source=source, expected=error.expected, fix=error.fix) from None
    digest.update(memoryview(data)[done:])
    return digest.hexdigest()
