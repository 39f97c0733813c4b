"""ONNX models in onnxruntime, on the CPU: what users run. In this process, or, with a limit of time, in one of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from .apart import Apart
from .onnx_model import OnnxModel
from .session import Opening, open_session, run_session

if TYPE_CHECKING:
    from ...exporters.onnx.light import LightModel
    from .base import Array, Feeds


class OnnxRuntime(OnnxModel):
    """A model in onnxruntime. `seconds` is what it may take to be opened, and for a run; 0: no limit, and no process of its own."""

    name = "onnxruntime"

    def __init__(self, light: LightModel, engine: None = None, seconds: float = 0) -> None:
        super().__init__(light, engine)
        self.seconds = seconds
        self._apart = Apart(seconds) if seconds else None

    @property
    def versions(self) -> Mapping[str, str]:
        return {"onnxruntime": version("onnxruntime")}

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        values = instance.run(asked, feeds) if isinstance(instance, Apart) else run_session(instance, asked, feeds)
        return dict(zip(asked, values, strict=True))

    def open(self, extra: Collection[str]) -> Any:
        if self.path and not extra:
            opening = Opening(self.path)
        else:
            content = self.light.with_outputs(sorted(extra))
            opening = Opening("", content, self.light.folder, bool(extra), self.light.arrays)
        if not self.seconds:
            return open_session(opening)
        if self._apart is None or not self._apart.is_alive:
            self._apart = Apart(self.seconds)
        self._apart.open(opening)
        return self._apart


open_model = OnnxRuntime.of
