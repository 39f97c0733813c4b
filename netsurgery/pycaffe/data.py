"""Layers that bring data into a net: made up (DummyData), from the script's memory, parameters as blobs.

Source: BVLC/caffe src/caffe/layers/dummy_data_layer.cpp, memory_data_layer.cpp, parameter_layer.cpp
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layers.core.fillers import Filler
from ..layers.core.params import Params
from ..message import Message
from .blob import Blob
from .data_files import HDF5DataOp, ImageDataOp, LmdbDataOp, RefusedDataOp
from .errors import CaffeError
from .op import Op, put
from .settings import random
from .slot import Slot


class DummyDataOp(Op):
    """Tops that fillers fill: constant ones when the net is made, others at each forward."""

    is_source = True

    def setup(self) -> None:
        super().setup()
        inner = self.slot.params.last("dummy_data_param", Message("DummyDataParameter"))
        count = len(self.slot.tops)
        q = Params(inner, "DummyDataParameter", self.slot.title, self.slot.source)
        fillers = [self._filler(m) for m in inner.all("data_filler")] or [Filler()]
        shapes: list[tuple[int, ...]] = [tuple(m.all("dim")) for m in inner.all("shape")]
        if not shapes:
            old = [q.get_ints(name) for name in ("num", "channels", "height", "width")]
            shapes = [tuple(n[i if len(n) > 1 else 0] for n in old) for i in range(max(map(len, old), default=0))]
        if len(fillers) not in (1, count) or len(shapes) not in (1, count):
            raise CaffeError(
                f"{len(fillers)} fillers and {len(shapes)} shapes for {count} tops",
                layer=self.slot,
                expected="one for all, or one each",
            )
        self.fillers = fillers * count if len(fillers) == 1 else fillers
        for top, filler, shape in zip(self.slot.tops, self.fillers, shapes * count, strict=False):
            top.resize(shape)
            if filler.type == "constant":
                self._fill(top, filler)

    def _filler(self, message: Message) -> Filler:
        holder = Message("ConvolutionParameter", self._as_weights(message))
        return Params(holder, "ConvolutionParameter", self.slot.title, self.slot.source).filler("weight_filler")

    @staticmethod
    def _as_weights(message: Message) -> tuple[Any, ...]:
        from ..message import Field

        return (Field("weight_filler", message),)

    def _fill(self, top: Blob, filler: Filler) -> None:
        rng = np.random.default_rng(int(random().integers(2**62)))
        put(top, np.asarray(filler.draw(top.sizes, rng, self.slot.title), np.float32), adopt=False)

    def forward(self) -> None:
        for top, filler in zip(self.slot.tops, self.fillers, strict=True):
            if filler.type != "constant":
                self._fill(top, filler)


class MemoryDataOp(Op):
    """Batches of the arrays that `net.set_input_arrays` gave, one after another, from the beginning again."""

    is_source = True

    def setup(self) -> None:
        super().setup()
        inner = self.slot.params.last("memory_data_param", Message())
        sizes = [int(inner.last(name, 0)) for name in ("batch_size", "channels", "height", "width")]
        if min(sizes) < 1:
            raise CaffeError(
                f"batch_size, channels, height, width are {sizes}",
                layer=self.slot,
                expected="positive numbers in memory_data_param",
            )
        self.batch, self.item = sizes[0], tuple(sizes[1:])
        self.arrays: tuple[NDArray[Any], NDArray[Any]] | None = None
        self.place = 0
        self.slot.tops[0].resize(tuple(sizes))
        for top in self.slot.tops[1:]:
            top.resize((self.batch,))

    def reset(self, data: NDArray[Any], labels: NDArray[Any]) -> None:
        """New arrays. Raises: CaffeError for what Caffe refuses."""
        for name, array, item in (("data array", data, self.item), ("labels array", labels, (1, 1, 1))):
            if not array.flags.c_contiguous or array.ndim != 4 or array.dtype != np.float32:
                raise CaffeError(f"{name} must be 4-d, C contiguous and float32")
            if array.shape[1:] != item:
                raise CaffeError(f"{name} has items of shape {array.shape[1:]}", expected=str(item))
        if len(data) != len(labels):
            raise CaffeError("data and labels must have the same first dimension")
        if len(data) % self.batch:
            raise CaffeError("first dimensions of input arrays must be a multiple of batch size")
        self.arrays, self.place = (data, labels), 0

    def forward(self) -> None:
        if self.arrays is None:
            raise CaffeError(
                "MemoryDataLayer has no data",
                layer=self.slot.title,
                fix="net.set_input_arrays(data, labels) before net.forward()",
            )
        data, labels = (array[self.place : self.place + self.batch] for array in self.arrays)
        put(self.slot.tops[0], data, adopt=False)
        for top in self.slot.tops[1:]:
            put(top, labels, adopt=False)
        self.place = (self.place + self.batch) % len(self.arrays[0])


class ParameterOp(Op):
    """A blob of parameters as top, in the same memory."""

    is_source = True

    def setup(self) -> None:
        super().setup()
        inner = self.slot.params.last("parameter_param", Message())
        shape: Sequence[int] = inner.last("shape", Message()).all("dim")
        self.slot.blobs.append(Blob(shape))
        self.slot.tops[0].resize(tuple(shape))

    def reshape(self) -> None:
        self.slot.tops[0].share_data(self.slot.blobs[0])
        self.slot.tops[0].share_diff(self.slot.blobs[0])

    def forward(self) -> None:
        self.reshape()

    def backward(self) -> bool:
        return True


OPS: dict[str, Callable[[Slot], Op]] = {
    "DummyData": DummyDataOp,
    "MemoryData": MemoryDataOp,
    "Parameter": ParameterOp,
    "HDF5Data": HDF5DataOp,
    "ImageData": ImageDataOp,
    "Data": LmdbDataOp,
    "WindowData": RefusedDataOp,
}
