"""Databases of Datums, as convert_imageset writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from netsurgery.pycaffe.proto import caffe_pb2

Array = np.ndarray[Any, Any]


def write_database(
    kind: str, path: Path, pixels: Sequence[Array] | Array, encoded: bool, labels: Sequence[int] | None = None
) -> None:
    """LMDB or LevelDB with a Datum for each image (C, H, W) of bytes, blue first; without `labels` they are 0, 1, 0, 1, ..."""
    items = []
    for k, image in enumerate(pixels):
        datum = caffe_pb2.Datum(label=k % 2 if labels is None else labels[k])
        if encoded:
            file = path.with_suffix(".png")
            Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)[:, :, ::-1])).save(file)
            datum.data, datum.encoded = file.read_bytes(), True
        else:
            datum.channels, datum.height, datum.width = image.shape
            datum.data = np.ascontiguousarray(image).tobytes()
        items.append((f"{k:08}".encode(), datum.SerializeToString()))
    if kind == "lmdb":
        lmdb = pytest.importorskip("lmdb")
        with lmdb.open(str(path), map_size=1 << 22) as environment, environment.begin(write=True) as transaction:
            for key, value in items:
                transaction.put(key, value)
    else:
        plyvel = pytest.importorskip("plyvel")
        with plyvel.DB(str(path), create_if_missing=True) as database:
            for key, value in items:
                database.put(key, value)
