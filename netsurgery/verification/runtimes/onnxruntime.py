"""ONNX models in onnxruntime, on the CPU: what users run. In this process, or, with a limit of time, in one of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .onnx_model import OnnxModel
from .session import Opening, open_session, run_session

if TYPE_CHECKING:
    from .base import Array, Feeds


class OnnxRuntime(OnnxModel):
    """A model in onnxruntime."""

    name = "onnxruntime"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"onnxruntime": version("onnxruntime")}

    def opening(self, extra: Collection[str]) -> Opening:
        if self.path and not extra:
            return Opening(self.path)
        return Opening("", self.light.with_outputs(sorted(extra)), self.light.folder, bool(extra), self.light.arrays)

    def open(self, extra: Collection[str]) -> Any:
        return open_session(self.opening(extra))

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        return dict(zip(asked, run_session(instance, asked, feeds), strict=True))


open_model = OnnxRuntime.of
