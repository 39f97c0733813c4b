"""Nets in netsurgery.run, in float64: the reference, and the other side where Caffe is held against Caffe."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from ...errors import NetsurgeryError
from ...interpreter import run
from ...layers.core.infer import infer
from ...net import Net
from .base import NetRuntime, model_path

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class Interpreter(NetRuntime):
    """A net in netsurgery.run."""

    name = "netsurgery"

    def __init__(self, net: Net, dtype: DTypeLike = np.float64) -> None:
        net.require_supported("run")
        super().__init__(net)
        self.dtype = np.dtype(dtype)
        self.in_double = self.dtype == np.float64

    @property
    def versions(self) -> Mapping[str, str]:
        return {"numpy": np.__version__}

    @cached_property
    def inputs(self) -> dict[str, tuple[int | None, ...] | None]:
        declared = self.net.inputs
        if any(shape is None for shape in declared.values()):
            return dict.fromkeys(declared)
        shapes = infer(self.net).shapes
        return {name: tuple(n if isinstance(n, int) else None for n in shapes[name]) for name in declared}

    @property
    def blobs(self) -> Collection[str]:
        return self.net.blobs

    def voucher(self, blob: str) -> str:
        return ""

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        return dict(run(self.net, feeds, [b for b in blobs if b in self.blobs], self.dtype))


def open_model(model: Model) -> Interpreter:
    """Raises: UnsupportedLayersError for a net that cannot be run."""
    if not isinstance(model, Net):
        raise NetsurgeryError(f"'{model_path(model)}' is no net of Caffe's", expected="a prototxt and its weights")
    return Interpreter(model)


def open_opinion(net: Net, model: Model) -> Interpreter:
    """The reference itself."""
    return Interpreter(net)
