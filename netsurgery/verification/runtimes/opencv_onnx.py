"""ONNX models in OpenCV's dnn module."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .onnx_model import OnnxModel
from .opencv import opencv

if TYPE_CHECKING:
    from .base import Array, Feeds


class OpenCV(OnnxModel):
    """A model in OpenCV."""

    name = "opencv"

    @staticmethod
    def library() -> Any:
        return opencv("OpenCV", ">=5")

    @property
    def versions(self) -> Mapping[str, str]:
        return {"opencv": self.engine.__version__}

    def open(self, extra: Collection[str]) -> Any:
        net = self.engine.dnn.readNetFromONNX(np.frombuffer(self.whole(extra).SerializeToString(), np.uint8))
        net.enableWinograd(False)  # it saves products and costs digits
        return net

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        for name, array in feeds.items():
            instance.setInput(np.ascontiguousarray(array), name)
        graph = self.light.proto.graph
        types = {value.name: value.type.tensor_type for value in (*graph.output, *graph.value_info)}
        scalars = {name for name, type in types.items() if type.HasField("shape") and not type.shape.dim}
        # it gives all or none, and hands out a scalar as a vector of one
        values = dict(zip(self.ends, instance.forward(self.ends), strict=True))
        return {name: np.array(x).reshape(() if name in scalars else x.shape) for name, x in values.items()}


open_model = OpenCV.of
