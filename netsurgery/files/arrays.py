"""Arrays from .npy and .npz files: the one reader of the project. What a header says is held against the bytes that there are, and
against the limits, before memory is taken; nothing is unpickled.

Source: numpy/lib/format.py (the format), numpy/lib/_npyio_impl.py (NpzFile)
"""

from __future__ import annotations

import io
import os
import re
import warnings
import zipfile
from collections.abc import Mapping
from math import prod
from typing import IO, Any, BinaryIO

import numpy as np

from ..aliases import Array, StrPath
from ..errors import NetsurgeryError, ParseError, Source
from ..limits import lift, limits
from .boundary import open_file, reading

MAGIC = b"\x93NUMPY"
KINDS = "biufcSU"
"""Kinds of values that arrays may hold: numbers and text."""


def read_arrays(
    path: StrPath, expected: str = "a .npy or .npz file", error: type[NetsurgeryError] = ParseError
) -> Array | dict[str, Array]:
    """The array of a .npy file, or those of a .npz file by name.

    Raises: `error` if it is missing, damaged, something else, or unpacks to more than the limits let it.
    """
    with open_file(path, expected, error) as file, reading(path, expected, error=error):
        return _arrays(file, Source(os.fspath(path)), expected, error)


def read_npz(
    path: StrPath, expected: str = "a .npz file", error: type[NetsurgeryError] = ParseError
) -> dict[str, Array]:
    """The arrays of a .npz file by name. Raises: `error`, as `read_arrays` does, and for a .npy file."""
    arrays = read_arrays(path, expected, error)
    if not isinstance(arrays, dict):
        raise error("is one array, a .npy file", source=Source(os.fspath(path)), expected=expected)
    return arrays


def arrays_of(data: bytes, name: str) -> dict[str, Array]:
    """The arrays of a .npz file in memory, which errors call `name`. Raises: ParseError."""
    expected = "a .npz file"
    with reading(name, expected):
        arrays = _arrays(io.BytesIO(data), Source(name), expected, ParseError)
    if not isinstance(arrays, dict):
        raise ParseError("is one array, a .npy file", source=Source(name), expected=expected)
    return arrays


def _arrays(file: IO[bytes], source: Source, expected: str, error: type[NetsurgeryError]) -> Array | dict[str, Array]:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(len(MAGIC))
    file.seek(0)
    if head == MAGIC:
        return _array(file, size, "")
    if not head.startswith(b"PK"):
        raise error("is neither .npy nor .npz", source=source, expected=expected)
    limit = limits().unpacked_from(size)
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if (total := sum(member.file_size for member in members)) > limit:
            raise error(
                f"unpacks to {total} bytes", source=source, expected=f"at most {limit} bytes", fix=lift("unpacked")
            )
        for member in members:
            name = name_of(member.filename.removesuffix(".npy"))
            with archive.open(member) as stored:
                arrays[name] = _array(stored, member.file_size, f"'{name}' ")
    return arrays


def _array(file: IO[bytes], size: int, what: str) -> Array:
    """The array of an open .npy file of that many bytes. Raises: ValueError, and what NumPy does for a damaged header."""
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{what}is of version {version[0]}.{version[1]} of the format")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():  # of headers that Python 2 wrote, or nobody
        warnings.simplefilter("ignore")
        shape, fortran, dtype = header(file)
    if dtype.hasobject or dtype.kind not in KINDS:
        raise ValueError(f"{what}holds {dtype}, not numbers")
    count = prod(shape)
    if any(n < 0 for n in shape) or (dtype.itemsize < 1 and count):
        raise ValueError(f"{what}is of shape {shape}")
    length = count * dtype.itemsize
    left = size - file.tell()
    if length > left:
        raise ValueError(f"{what}is cut off: shape {shape} needs {length} bytes, and {left} are left")
    data = bytearray(length)
    view, done = memoryview(data), 0
    while done < length:
        step = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not step:
            raise ValueError(f"{what}is cut off")
        done += step
    file.read(1)  # at its end a member of an archive is held against its checksum
    array: Array = np.frombuffer(data, dtype) if length else np.empty(count, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def write_npz(out: BinaryIO, arrays: Mapping[str, Any]) -> None:
    """Writes arrays as a .npz file, as numpy.savez does, whatever their names are."""
    with zipfile.ZipFile(out, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{member_of(name)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)


def member_of(name: str) -> str:
    """The name of an array as a member of an archive, which would be a path for whoever unpacks it: `..`, a slash in front and
    backslashes are written as %2E%2E, %2F and %5C."""
    name = re.sub("%(?=25|2E|2F|5C)", "%25", name).replace("\\", "%5C")
    name = "/".join("%2E%2E" if part == ".." else part for part in name.split("/"))
    return f"%2F{name[1:]}" if name.startswith("/") else name


def name_of(member: str) -> str:
    """The name that `member_of` wrote."""
    return re.sub("%(25|2E|2F|5C)", lambda match: chr(int(match[1], 16)), member)
