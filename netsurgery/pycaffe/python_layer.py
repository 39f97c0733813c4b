"""Layers that scripts bring: `type: "Python"`, with module, layer and param_str.

Source: BVLC/caffe include/caffe/layers/python_layer.hpp
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import numpy as np

from .blob import Blob, BlobVec
from .errors import CaffeError
from .op import Op
from .slot import Slot


class Phase(int):
    """`layer.phase`: the number that Caffe gives, and the name that py-faster-rcnn's Caffe gave where it is made text:
    `cfg[str(self.phase)]`."""

    def __str__(self) -> str:
        return "TEST" if self else "TRAIN"


class Layer:
    """The base of layers in Python: `setup`, `reshape`, `forward` and `backward` are the script's; `param_str`, `phase` and `blobs` are
    set before."""

    def __init__(self, param: object = None) -> None:
        self.blobs = BlobVec()
        self.param_str = ""
        self.phase = Phase(1)

    @property
    def type(self) -> str:
        return "Python"

    def setup(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Called once, when the net is made."""

    def reshape(self, bottom: list[Blob], top: list[Blob]) -> None:
        """Called before each forward: gives the tops their shapes."""
        raise NotImplementedError(f"{type(self).__name__}.reshape")

    def forward(self, bottom: list[Blob], top: list[Blob]) -> None:
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, top: list[Blob], propagate_down: list[bool], bottom: list[Blob]) -> None:
        raise NotImplementedError(f"{type(self).__name__}.backward")


class PythonOp(Op):
    """Runs the script's class."""

    def setup(self) -> None:
        slot = self.slot
        inner = slot.params.last("python_param")
        if inner is None:
            raise CaffeError("no python_param", layer=slot, expected="module and layer")
        module = self._module(str(inner.last("module", "")))
        cls = getattr(module, str(inner.last("layer", "")))
        self.layer = cls(slot.message)
        self.layer.param_str = self.layer.param_str_ = str(inner.last("param_str", ""))
        self.layer.phase = Phase(slot.phase != "TRAIN")
        if not hasattr(self.layer, "blobs"):  # a class whose __init__ does not call that of Layer
            self.layer.blobs = BlobVec()
        slot.blobs = self.layer.blobs
        slot.public = self.layer
        self.layer.setup(slot.bottoms, slot.tops)

    def _module(self, name: str) -> ModuleType:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name != "caffe":
                raise
            raise CaffeError(
                f"its module {name!r} imports caffe, and there is none",
                layer=self.slot,
                fix="netsurgery.pycaffe.install() before the net is made",
            ) from None

    def reshape(self) -> None:
        self.layer.reshape(self.slot.bottoms, self.slot.tops)

    def forward(self) -> None:
        self.layer.forward(self.slot.bottoms, self.slot.tops)

    def backward(self) -> bool:
        with np.errstate(all="ignore"):
            self.layer.backward(self.slot.tops, list(self.slot.bottom_need), self.slot.bottoms)
        return True


OPS: dict[str, Callable[[Slot], Op]] = {"Python": PythonOp}
