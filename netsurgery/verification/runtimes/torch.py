"""Nets in PyTorch by netsurgery.to_torch; ONNX models in PyTorch by onnx2torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import UnavailableError
from .onnx_model import OnnxModel, open_onnx

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class Torch(OnnxModel):
    """An ONNX model as the torch.nn.Module that onnx2torch makes of it."""

    name = "torch"

    @property
    def versions(self) -> Mapping[str, str]:
        from importlib.metadata import version

        import torch

        return {"onnx2torch": version("onnx2torch"), "torch": torch.__version__}

    def open(self, extra: Collection[str]) -> Any:
        model = self.whole(extra)
        return _onnx2torch().convert(model).eval(), [output.name for output in model.graph.output]

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Sequence[Array]:
        import torch

        module, names = instance
        with torch.no_grad():
            values = module(*(torch.from_numpy(np.array(feeds[name])) for name in self.inputs))
        values = values if isinstance(values, list | tuple) else [values]
        by_name = dict(zip(names, values, strict=True))
        return [by_name[blob].numpy() for blob in asked]


def _onnx2torch() -> Any:
    """Raises: UnavailableError."""
    try:
        import onnx2torch
    except (ImportError, RuntimeError) as error:  # torchvision of another build than torch is a RuntimeError
        raise UnavailableError(
            f"onnx2torch is not there: {error}", expected="onnx2torch and PyTorch", fix="pip install onnx2torch torch"
        ) from None
    return onnx2torch


def open_model(model: Model) -> Torch:
    """Raises: ParseError, UnavailableError, UnsupportedError."""
    _onnx2torch()
    return open_onnx(model, Torch, "torch")
