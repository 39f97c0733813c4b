"""Layers that read data from files: HDF5Data, ImageData, Data (LMDB, LevelDB).

Source: BVLC/caffe src/caffe/layers/hdf5_data_layer.cpp, image_data_layer.cpp, data_layer.cpp, src/caffe/data_transformer.cpp
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..message import Message
from .errors import CaffeError
from .op import Op, put
from .settings import random
from .slot import Slot
from .transform import Pixels


class ReaderOp(Op):
    """A layer that gives batches of items, from the beginning again when they end. Shapes are those of the first item."""

    is_source = True
    message = ""

    def __init__(self, slot: Slot) -> None:
        super().__init__(slot)
        self.inner: Message = slot.params.last(self.message, Message())
        self.pixels = Pixels(slot)

    def setup(self) -> None:
        super().setup()
        self.batch = int(self.inner.last("batch_size", 1))
        if self.batch < 1:
            self.refuse(f"batch_size is {self.batch}", "a positive number")
        self.items = self.endless()
        self.ahead: list[tuple[NDArray[Any], ...]] = [next(self.items)]
        for top, part in zip(self.slot.tops, self.ahead[0], strict=False):
            top.resize((self.batch, *part.shape))

    def endless(self) -> Iterator[tuple[NDArray[Any], ...]]:
        """Items, each an array for each top, without end."""
        raise NotImplementedError

    def forward(self) -> None:
        parts = [self.ahead.pop() if self.ahead else next(self.items) for _ in range(self.batch)]
        for k, top in enumerate(self.slot.tops):
            put(top, np.stack([item[k] for item in parts]).astype(np.float32))

    def refuse(self, problem: str, expected: str = "", fix: str = "") -> NoReturn:
        raise CaffeError(problem, layer=self.slot, expected=expected, fix=fix)

    def require_regular(self, path: str) -> None:
        """Raises: CaffeError for a FIFO or a device, on which one might wait for ever."""
        if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
            self.refuse(f"{path!r} is no ordinary file", "a file on a disk")

    def lines(self) -> list[str]:
        """The lines of the list that `source` names."""
        path = str(self.inner.last("source", ""))
        self.require_regular(path)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = [line.strip() for line in file if line.strip()]
        except OSError as error:
            self.refuse(f"cannot read its list {path!r}: {error.strerror}", "a file with one entry a line")
        if not lines:
            self.refuse(f"its list {path!r} is empty", "one entry a line")
        return lines


class HDF5DataOp(ReaderOp):
    """Rows of the datasets that bear the names of the tops, file after file of a list."""

    message = "hdf5_data_param"

    def endless(self) -> Iterator[tuple[NDArray[Any], ...]]:
        try:
            import h5py
        except ImportError:
            self.refuse("HDF5 needs h5py, which is not installed", fix="pip install 'netsurgery[hdf5]'")
        files = self.lines()
        shuffle = bool(self.inner.last("shuffle", False))
        while True:
            for path in random().permutation(files).tolist() if shuffle else files:
                self.require_regular(path)
                try:
                    with h5py.File(path, "r") as file:
                        parts = [np.asarray(file[name], np.float32) for name in self.slot.top_names]
                except (OSError, KeyError) as error:
                    self.refuse(f"{path}: {error}", "datasets " + ", ".join(self.slot.top_names))
                order = random().permutation(len(parts[0])) if shuffle else range(len(parts[0]))
                for row in order:
                    yield tuple(part[row] for part in parts)


class ImageDataOp(ReaderOp):
    """Pictures of a list, `path label` a line, prepared by transform_param."""

    message = "image_data_param"

    def endless(self) -> Iterator[tuple[NDArray[Any], ...]]:
        from ..vision.samples import read_pixels

        size = int(self.inner.last("new_height", 0)), int(self.inner.last("new_width", 0))
        folder, color = str(self.inner.last("root_folder", "")), bool(self.inner.last("is_color", True))
        entries = [line.rpartition(" ")[::2] for line in self.lines()]
        shuffle = bool(self.inner.last("shuffle", False))
        while True:
            order = random().permutation(len(entries)) if shuffle else range(len(entries))
            for k in order:
                path, label = entries[k]
                try:
                    image = read_pixels(folder + path, size if all(size) else None, gray=not color)
                except (NetsurgeryError, OSError) as error:
                    self.refuse(f"cannot read {folder + path!r}: {error}", "a picture")
                yield self.pixels(image), np.asarray(int(label or 0), np.float32)


class LmdbDataOp(ReaderOp):
    """Datums of an LMDB or LevelDB, in the order of their keys, prepared by transform_param."""

    message = "data_param"

    def endless(self) -> Iterator[tuple[NDArray[Any], ...]]:
        from ..files.databases import records
        from ..vision.datum import read_datum

        path = str(self.inner.last("source", ""))
        if not os.path.exists(path):
            self.refuse(
                f"there is no database {path!r}",
                f"a folder of {self.inner.last('backend', 'LEVELDB')}",
                "put an Input layer in its place and fill net.blobs",
            )
        while True:
            count = 0
            for _, value in records(path):
                count += 1
                datum = read_datum(value)
                yield self.pixels(datum.pixels), np.asarray(datum.label or 0, np.float32)
            if not count:
                self.refuse(f"{path!r} holds no items", "a database of Datums")


class RefusedDataOp(Op):
    """WindowData: training of detectors on windows of pictures. Raises: CaffeError."""

    def setup(self) -> None:
        raise CaffeError(
            "WindowData is not supported",
            layer=self.slot,
            fix="caffe.Detector.detect_windows crops windows and runs a net on them",
        )
