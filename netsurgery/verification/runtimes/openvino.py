"""ONNX models in OpenVINO, on the CPU, in float32."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...exporters.openvino import require_openvino
from .onnx_model import OnnxModel, open_onnx

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class OpenVino(OnnxModel):
    """A model in OpenVINO."""

    name = "openvino"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"openvino": require_openvino().__version__.split("-")[0]}

    def open(self, extra: Collection[str]) -> Any:
        core = require_openvino().Core()
        model = core.read_model(self.path if self.path and not extra else self.whole(extra).SerializeToString())
        # else it computes in the type that this processor is fastest in
        return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Sequence[Array]:
        own = {name for input in instance.inputs for name in input.names}  # one that decides nothing is gone
        values = instance({name: array for name, array in feeds.items() if name in own})
        by_name = {name: values[output].copy() for output in instance.outputs for name in output.names}
        return [by_name[blob] for blob in asked]


def open_model(model: Model) -> OpenVino:
    """Raises: ParseError, UnavailableError, UnsupportedError."""
    require_openvino()
    return open_onnx(model, OpenVino, "openvino")
