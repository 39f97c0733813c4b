"""Samples: images, or rows of numbers, with their labels, as they are given in lists, folders, tables and databases.

    FILE.txt        Caffe's list: a path and a label a line, paths beside the list or below --root
    FILE.csv        a path and a label a line, with or without a heading
    FOLDER          a folder per class: labels are the places of the folders' names in order
    LMDB, LevelDB   Datums
    FILE.h5         HDF5: the datasets data and label; a list of such files, too

Source: BVLC Caffe, image_data_layer.cpp, data_layer.cpp, hdf5_data_layer.cpp, util/io.cpp (ReadImageToCVMat)
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source
from ..files.boundary import open_file, package, read_file, reading
from ..files.databases import database_kind, records
from ..files.images import read_gray, read_image
from ..limits import require_values
from ..options import whole_number
from .datum import read_datum
from .images import LISTS, SUFFIXES
from .resize_bytes import resize_bytes

MAX_BYTES = 1 << 30
"""Of a list: a hundred million of samples."""

TABLES, ARRAYS = (".csv", ".tsv"), (".h5", ".hdf5")


@dataclass(frozen=True)
class Sample:
    """One of many: read() gives its pixels as Caffe's data layers have them before they transform them, (C, H, W), uint8
    (blue first) or float32; label is None where none is known. place: where its image file is, "" if it is stored."""

    name: str
    label: int | None
    read: Callable[[], NDArray[Any]]
    place: str = ""


def samples(
    path: str | os.PathLike[str],
    *,
    root: str | os.PathLike[str] = "",
    resize: tuple[int, int] | None = None,
    gray: bool = False,
    labelled: bool = True,
) -> Iterator[Sample]:
    """The samples that a path stands for, in their order.

    root: where a list's paths begin; resize: the size (h, w) that image files are warped to, as convert_imageset does;
    gray: read as gray; labelled: whether a sample without a label is an error.

    Raises: NetsurgeryError for what is none of these, or is not there.
    """
    name = os.fspath(path)
    if database_kind(name):
        yield from _database(name)
        return
    if name.lower().endswith(ARRAYS):
        yield from _arrays(name)
        return
    if files := _array_files(name):
        for file in files:
            yield from _arrays(place_of(file, Path(name).parent, root))
        return
    if os.path.isdir(name):
        entries = _folder(Path(name), labelled)
    elif name.lower().endswith(TABLES):
        entries = _table(Path(name))
    elif os.path.splitext(name)[1].lower() in SUFFIXES:
        entries = iter([(name, None)])
    else:
        entries = _list(Path(name), labelled)
    for file, label in entries:
        place = place_of(file, Path(name).parent, root)
        yield Sample(file, label, _reader(place, resize, gray), place)


def _array_files(path: str) -> list[str]:
    """The files that the list of an HDF5Data layer names; [] for anything else."""
    if not path.lower().endswith(LISTS) or not os.path.isfile(path):
        return []
    files = [line.strip() for line in _lines(Path(path)) if line.strip()]
    return files if all(file.lower().endswith(ARRAYS) for file in files) else []


def is_stored(path: str | os.PathLike[str]) -> bool:
    """Whether a path stands for samples that are stored as they are fed: a database, or HDF5."""
    name = os.fspath(path)
    return bool(database_kind(name) or _array_files(name)) or name.lower().endswith(ARRAYS)


def _reader(path: str, resize: tuple[int, int] | None, gray: bool) -> Callable[[], NDArray[np.uint8]]:
    return lambda: read_pixels(path, resize, gray)


def read_pixels(path: str, resize: tuple[int, int] | None = None, gray: bool = False) -> NDArray[np.uint8]:
    """An image file as Caffe's ReadImageToCVMat has it: blue first, or gray, at the size `resize` (h, w) to the last bit
    as OpenCV warps it.

    Shapes: (3, H, W) or (1, H, W), uint8.
    Raises: NetsurgeryError if it cannot be read.
    """
    image = read_gray(path)[:, :, None] if gray else read_image(path)[:, :, ::-1]
    if resize is not None:
        image = resize_bytes(image, resize)
    return np.ascontiguousarray(image.transpose(2, 0, 1))


def require_stored_size(pixels: NDArray[Any], shape: tuple[int, int, int], name: str) -> None:
    """For a net that reads a database: of image files nobody knows to which size they were warped for it.

    Raises: ShapeError for an image (C, H, W) that has not the size of the net's input."""
    if pixels.shape[1:] != shape[1:]:
        raise ShapeError(
            f"an image of {pixels.shape[1]}x{pixels.shape[2]}",
            source=Source(name),
            expected="the size to which images were warped for the net's database, which the file does not say",
            fix="say it: --resize 256x256",
        )


def _list(path: Path, labelled: bool) -> Iterator[tuple[str, int | None]]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        file, _, label = line.strip().rpartition(" ")
        class_number = whole_number(label, signed=True)
        if file and class_number is not None:
            yield file.rstrip(), class_number
        elif not labelled:
            yield line.strip(), None
        else:
            raise NetsurgeryError(
                f"'{line.strip()}' has no label",
                source=Source(str(path), number),
                expected="a path, a space, and a number",
            )


def _table(path: Path) -> Iterator[tuple[str, int | None]]:
    lines = _lines(path)
    with reading(path, "a table of paths and labels", error=NetsurgeryError):
        rows = list(csv.reader(lines, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    for number, row in enumerate(rows, 1):
        if not any(cell.strip() for cell in row):
            continue
        label = whole_number(row[1], signed=True) if len(row) >= 2 else None
        if label is not None:
            yield row[0].strip(), label
        elif number > 1 or len(row) < 2:
            raise NetsurgeryError(
                f"'{','.join(row)}' has no label", source=Source(str(path), number), expected="a path, and a number"
            )


def _lines(path: Path) -> list[str]:
    expected = "a list of images (.txt), a table (.csv), a folder, LMDB, LevelDB or HDF5"
    return read_file(path, MAX_BYTES, expected).decode("utf-8-sig", "surrogateescape").splitlines()


def _folder(path: Path, labelled: bool) -> Iterator[tuple[str, int | None]]:
    classes = sorted(p for p in path.iterdir() if p.is_dir())
    count = 0
    for label, folder in enumerate(classes):
        for file in _images(folder):
            count += 1
            yield str(file), label
    if not labelled:
        for file in _images(path, below=False):
            count += 1
            yield str(file), None
    if not count:
        expected = "folders of images, one for each class" if labelled else "images"
        raise NetsurgeryError("there is no image in this folder", source=Source(str(path)), expected=expected)


def _images(folder: Path, below: bool = True) -> Iterator[Path]:
    entries = folder.rglob("*") if below else folder.iterdir()
    yield from sorted(p for p in entries if p.suffix.lower() in SUFFIXES and p.is_file())


def place_of(file: str, beside: Path, root: str | os.PathLike[str]) -> str:
    """Where a list's path leads: below the root as Caffe has it, else as it is, else beside the list."""
    if root:
        return os.path.join(os.fspath(root), file.lstrip("/"))
    return file if os.path.isabs(file) or os.path.exists(file) else str(beside / file)


def _database(path: str) -> Iterator[Sample]:
    for key, value in records(path):
        datum = read_datum(value)
        yield Sample(key.decode("utf-8", "backslashreplace"), datum.label, _holder(datum.pixels))


def _holder(pixels: NDArray[Any]) -> Callable[[], NDArray[Any]]:
    return lambda: pixels


def _arrays(path: str) -> Iterator[Sample]:
    with package("HDF5 needs the package h5py", "netsurgery[hdf5]"):
        import h5py
    open_file(path, "HDF5", NetsurgeryError).close()  # which waits for no stream
    with ExitStack() as stack:
        with reading(path, "HDF5", error=NetsurgeryError):
            file = stack.enter_context(h5py.File(path, "r"))
            if "data" not in file:
                raise NetsurgeryError(
                    "has no dataset 'data'", source=Source(path), expected=f"one of: {', '.join(file)}"
                )
            data, labels = file["data"], file.get("label")
            count = len(data)
            require_values(data.shape[1:], "samples", source=Source(path), error=NetsurgeryError)
        for row in range(count):
            with reading(path, "HDF5", error=NetsurgeryError, problem=f"row {row} cannot be read"):
                label = None if labels is None else int(np.asarray(labels[row]).reshape(-1)[0])
                values = np.asarray(data[row], np.float32)
            yield Sample(f"{os.path.basename(path)}:{row}", label, _holder(values))
