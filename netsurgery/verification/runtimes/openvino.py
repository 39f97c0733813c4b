"""ONNX models in OpenVINO, on the CPU, in float32."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...exporters.openvino import openvino
from .onnx_model import OnnxModel

if TYPE_CHECKING:
    from .base import Array, Feeds


class OpenVino(OnnxModel):
    """A model in OpenVINO."""

    name = "openvino"

    library = staticmethod(openvino)

    @property
    def versions(self) -> Mapping[str, str]:
        return {"openvino": self.engine.__version__.split("-")[0]}

    def open(self, extra: Collection[str]) -> Any:
        core = self.engine.Core()
        model = core.read_model(self.path if self.path and not extra else self.whole(extra).SerializeToString())
        # else it computes in the type that this processor is fastest in
        return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        own = {name for input in instance.inputs for name in input.names}  # one that decides nothing is gone
        values = instance({name: array for name, array in feeds.items() if name in own})
        return {name: values[output].copy() for output in instance.outputs for name in output.names}


open_model = OpenVino.of
