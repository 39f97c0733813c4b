"""A model opened once in onnxruntime, without its weights being read: whether it is one at all."""

from __future__ import annotations

import os
from typing import Any

from ...errors import NetsurgeryError, Source
from .light import read_light


def require_opens(path: str | os.PathLike[str]) -> None:
    """Raises: NetsurgeryError if onnxruntime does not open the model. Large weights stay where they are: milliseconds, whatever the size.

    Models with nodes of a user's own domain cannot be opened without their kernels: they are passed over."""
    import onnxruntime

    light = read_light(path)
    if any(node.domain not in ("", "ai.onnx.ml", "com.microsoft") for node in light.proto.graph.node):
        return
    options: Any = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", light.folder)
    try:
        onnxruntime.InferenceSession(light.with_outputs(()), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base of their own
        raise NetsurgeryError(
            f"was written, and onnxruntime {onnxruntime.__version__} does not open it: {' '.join(str(error).split())}",
            source=Source(os.fspath(path)),
            fix="--no-check writes it all the same; such a model is a fault of netsurgery's that is worth a report",
        ) from None
