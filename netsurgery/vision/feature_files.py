"""Arrays that grow by a row for each image, as .npy, .npz or HDF5: never in memory as a whole, never half-written."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source
from ..files.arrays import member_of
from ..files.boundary import package
from ..files.copy import copy_array
from ..files.hdf5_output import hdf5_into
from ..files.output import replacing

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
HEADER = 128
"""Bytes of a .npy header here: room for any count of rows."""


class Writer(Protocol):
    """Takes the blobs of one image after the other."""

    def add(self, name: str, blobs: Sequence[NDArray[Any]]) -> None: ...


@contextmanager
def writer(path: str | os.PathLike[str], blobs: Sequence[str]) -> Iterator[Writer]:
    """A file for `blobs`, in the format that its ending says, there when the block ends without an error: an array (images, ...) for each
    blob, and `images`, their names. A .npy file holds one blob; the names stand beside it, in NAME.npy.txt.

    Raises: NetsurgeryError for another ending, several blobs in one .npy, or what cannot be written; ShapeError if blobs change in size
    from image to image.
    """
    name = os.fspath(path)
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise NetsurgeryError(
            f"cannot tell the format of '{name}'", expected=f"a name that ends in {', '.join(SUFFIXES)}, or a folder"
        )
    if suffix == ".npy" and len(blobs) != 1:
        raise NetsurgeryError(
            f"{len(blobs)} blobs in one .npy file", source=Source(name), expected="one", fix="write .npz or .h5"
        )
    if "images" in blobs:
        raise NetsurgeryError(
            "a blob is named 'images', as the list of names in the file", source=Source(name), fix="write to a folder"
        )
    with _hdf5(name, blobs) if suffix in (".h5", ".hdf5") else _numpy(name, blobs, suffix) as output:
        yield output


class _Rows:
    """A .npy file whose number of rows is told at the end."""

    def __init__(self, file: IO[bytes], blob: str) -> None:
        self.file, self.blob, self.count = file, blob, 0
        self.shape: tuple[int, ...] | None = None
        file.write(b"\0" * HEADER)

    def add(self, row: NDArray[Any]) -> None:
        if self.shape is None:
            self.shape = row.shape
        _require_same(self.blob, row.shape, self.shape)
        copy_array(np.ascontiguousarray(row, "<f4"), cast(BinaryIO, self.file))
        self.count += 1

    def end(self) -> None:
        shape = (self.count, *(self.shape or ()))
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
        head = b"\x93NUMPY\x01\x00" + (HEADER - 10).to_bytes(2, "little") + text.ljust(HEADER - 11) + b"\n"
        self.file.flush()
        self.file.seek(0)
        self.file.write(head)
        self.file.flush()


class _NumpyWriter:
    def __init__(self, rows: Sequence[_Rows]) -> None:
        self.rows, self.images = rows, list[str]()

    def add(self, name: str, blobs: Sequence[NDArray[Any]]) -> None:
        for rows, blob in zip(self.rows, blobs, strict=True):
            rows.add(blob)
        self.images.append(name)


@contextmanager
def _numpy(path: str, blobs: Sequence[str], suffix: str) -> Iterator[Writer]:
    folder = os.path.dirname(os.path.realpath(path))
    with ExitStack() as stack:
        out = stack.enter_context(replacing(path))
        files: list[IO[bytes]] = [out] if suffix == ".npy" else [_beside(folder, stack) for _ in blobs]
        table = _NumpyWriter([_Rows(file, blob) for file, blob in zip(files, blobs, strict=True)])
        yield table
        for rows in table.rows:
            rows.end()
        if suffix == ".npy":
            text = "".join(f"{image}\n" for image in table.images)
            stack.enter_context(replacing(f"{path}.txt")).write(text.encode("utf-8", "surrogateescape"))
            return
        with zipfile.ZipFile(out, "w", allowZip64=True) as archive:
            for rows in table.rows:
                rows.file.seek(0)
                with archive.open(f"{member_of(rows.blob)}.npy", "w", force_zip64=True) as member:
                    while part := rows.file.read(1 << 22):
                        member.write(part)
            with archive.open("images.npy", "w", force_zip64=True) as member:
                names = np.array(table.images, dtype=np.str_) if table.images else np.zeros(0, "<U1")
                np.lib.format.write_array(member, names, allow_pickle=False)


def _beside(folder: str, stack: ExitStack) -> IO[bytes]:
    """A nameless file on the disk of the result."""
    try:
        return stack.enter_context(tempfile.TemporaryFile(dir=folder))
    except OSError as error:
        raise NetsurgeryError(f"cannot be written: {error.strerror}", source=Source(folder)) from None


class _Hdf5Writer:
    def __init__(self, file: Any, check: Callable[[], None], blobs: Sequence[str], text: Any) -> None:
        self.file, self.check, self.blobs, self.count = file, check, blobs, 0
        self.names = file.create_dataset("images", (0,), maxshape=(None,), dtype=text)

    def add(self, name: str, blobs: Sequence[NDArray[Any]]) -> None:
        for blob, row in zip(self.blobs, blobs, strict=True):
            if blob not in self.file:
                rows = max(1, (1 << 18) // max(1, row.size))
                self.file.create_dataset(
                    blob, (0, *row.shape), maxshape=(None, *row.shape), chunks=(rows, *row.shape), dtype="<f4"
                )
            data = self.file[blob]
            _require_same(blob, row.shape, data.shape[1:])
            data.resize(self.count + 1, axis=0)
            data[self.count] = row
        self.names.resize(self.count + 1, axis=0)
        self.names[self.count] = name.encode("utf-8", "surrogateescape")
        self.count += 1
        self.check()


@contextmanager
def _hdf5(path: str, blobs: Sequence[str]) -> Iterator[Writer]:
    with package("writing HDF5 needs the package h5py", "netsurgery[hdf5]", source=Source(path)):
        import h5py
    folder = os.path.dirname(os.path.realpath(path))
    with ExitStack() as stack:
        out = stack.enter_context(replacing(path))
        file = _beside(folder, stack)
        with hdf5_into(file) as (data, check):
            yield _Hdf5Writer(data, check, blobs, h5py.string_dtype())
        file.seek(0)
        while part := file.read(1 << 22):
            out.write(part)


def _require_same(blob: str, shape: tuple[int, ...], first: tuple[int, ...]) -> None:
    if shape != first:
        raise ShapeError(
            f"blob '{blob}' is of shape {shape} here, of {first} for the images before",
            expected="one shape in one file",
            fix="write to a folder, a file for each image, or warp the images to one size",
        )
