"""ONNX models in OpenCV's dnn module."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exporters.onnx.light import LightModel
from .base import UnavailableError
from .onnx_model import OnnxModel, open_onnx

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class OpenCV(OnnxModel):
    """A model in OpenCV."""

    name = "opencv"

    def __init__(self, light: LightModel, cv2: Any) -> None:
        super().__init__(light)
        self.cv2 = cv2
        graph = light.proto.graph
        # it hands out a scalar as a vector of one
        self._scalars: dict[str, tuple[int, ...]] = {
            value.name: ()
            for value in (*graph.output, *graph.value_info)
            if value.type.tensor_type.HasField("shape") and not value.type.tensor_type.shape.dim
        }

    @property
    def versions(self) -> Mapping[str, str]:
        return {"opencv": self.cv2.__version__}

    def open(self, extra: Collection[str]) -> Any:
        model = self.whole(extra)
        net = self.cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
        net.enableWinograd(False)  # it saves products and costs digits
        return net, [output.name for output in model.graph.output]

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Sequence[Array]:
        net, names = instance
        for name, array in feeds.items():
            net.setInput(np.ascontiguousarray(array), name)
        values = dict(zip(names, net.forward(names), strict=True))  # it gives all or none
        return [np.array(values[name]).reshape(self._scalars.get(name, values[name].shape)) for name in asked]


def open_model(model: Model) -> OpenCV:
    """Raises: ParseError, UnavailableError, UnsupportedError."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # it prints what it raises
    try:
        import cv2
    except ImportError as error:
        raise UnavailableError(
            f"opencv is not there: {error}", expected="OpenCV", fix="pip install 'opencv-python-headless>=5'"
        ) from None
    return open_onnx(model, lambda light: OpenCV(light, cv2), "opencv")
