"""ONNX models in onnxruntime, on the CPU: what users run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import onnxruntime

from .onnx_model import OnnxModel, open_onnx

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class OnnxRuntime(OnnxModel):
    """A model in onnxruntime."""

    name = "onnxruntime"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"onnxruntime": onnxruntime.__version__}

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Sequence[Array]:
        values: Sequence[Array] = instance.run(asked, feeds)
        return values

    def open(self, extra: Collection[str]) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the reference computes meanwhile
        if extra:  # all blobs are held at once: no second copy of weights, no memory kept for the next run
            options.enable_cpu_mem_arena = False
            options.add_session_config_entry("session.disable_prepacking", "1")
        if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
            options.intra_op_num_threads = int(threads)
        model: str | bytes
        if self.path and not extra:
            model = self.path
        else:
            model = self.light.with_outputs(sorted(extra))
            if self.light.folder:
                options.add_session_config_entry(
                    "session.model_external_initializers_file_folder_path", self.light.folder
                )
            if self.light.arrays:
                values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in self.light.arrays.values()]
                options.add_external_initializers(list(self.light.arrays), values)
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def open_model(model: Model) -> OnnxRuntime:
    """Raises: ParseError; WeightsError if files that the model points to are not what they were."""
    return open_onnx(model, OnnxRuntime, "onnxruntime")
