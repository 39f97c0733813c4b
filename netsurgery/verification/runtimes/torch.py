"""ONNX models in PyTorch by onnx2torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files.packages import package
from .onnx_model import OnnxModel

if TYPE_CHECKING:
    from .base import Array, Feeds


class Torch(OnnxModel):
    """An ONNX model as the torch.nn.Module that onnx2torch makes of it."""

    name = "torch"

    @staticmethod
    def library() -> Any:
        return package("onnx2torch", "onnx2torch", "onnx2torch and PyTorch", "pip install onnx2torch torch")

    @property
    def versions(self) -> Mapping[str, str]:
        import torch

        return {"onnx2torch": version("onnx2torch"), "torch": torch.__version__}

    def open(self, extra: Collection[str]) -> Any:
        return self.engine.convert(self.whole(extra)).eval()

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        import torch

        with torch.no_grad():
            values = instance(*(torch.from_numpy(np.array(feeds[name])) for name in self.inputs))
        values = values if isinstance(values, list | tuple) else [values]
        return {name: value.numpy() for name, value in zip(self.ends, values, strict=True)}


open_model = Torch.of
