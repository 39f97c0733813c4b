"""The items of an LMDB or LevelDB that Caffe's tools wrote.

Source: BVLC/caffe src/caffe/util/db_lmdb.cpp, db_leveldb.cpp, src/caffe/proto/caffe.proto (Datum)
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CaffeError
from .slot import Slot


def datums(path: str, backend: str, slot: Slot) -> Iterator[tuple[NDArray[Any], int]]:
    """Pictures (C, H, W) and labels, in the order of the keys. Raises: CaffeError if the database or its package is not there."""
    from .proto import caffe_pb2

    if not os.path.isdir(path):
        raise CaffeError(
            f"there is no database {path!r}",
            layer=slot.title,
            source=slot.source,
            expected=f"a folder of {backend}",
            fix="put an Input layer in its place and fill net.blobs",
        )
    for value in (_lmdb if backend == "LMDB" else _leveldb)(path, slot):
        datum = caffe_pb2.Datum.FromString(value)
        shape = datum.channels, datum.height, datum.width
        if datum.encoded:
            yield _decoded(datum.data), int(datum.label)
        elif datum.data:
            yield np.frombuffer(datum.data, np.uint8).reshape(shape), int(datum.label)
        else:
            yield np.array(datum.float_data, np.float32).reshape(shape), int(datum.label)


def _decoded(data: bytes) -> NDArray[np.uint8]:
    """A compressed picture, blue first."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        pixels = np.asarray(opened.convert("L" if opened.mode in ("L", "1") else "RGB"))
    return pixels[np.newaxis] if pixels.ndim == 2 else np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1))


def _lmdb(path: str, slot: Slot) -> Iterator[bytes]:
    try:
        import lmdb
    except ImportError:
        raise CaffeError(
            "reads an LMDB, and the package lmdb is not installed", layer=slot.title, fix="pip install lmdb"
        ) from None
    with lmdb.open(path, readonly=True, lock=False) as environment, environment.begin() as transaction:
        for _, value in transaction.cursor():
            yield bytes(value)


def _leveldb(path: str, slot: Slot) -> Iterator[bytes]:
    try:
        import plyvel
    except ImportError:
        raise CaffeError(
            "reads a LevelDB, and the package plyvel is not installed", layer=slot.title, fix="pip install plyvel"
        ) from None
    database = plyvel.DB(path)
    try:
        for _, value in database:
            yield bytes(value)
    finally:
        database.close()
