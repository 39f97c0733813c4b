"""A model in onnxruntime, here or in a process of its own: what is opened, with which options, and what is asked of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .base import Array


@dataclass(frozen=True)
class Opening:
    """A file, or bytes whose large tensors lie in `folder` or in `arrays`, by name. `light`: it is run once, with many outputs.
    `module`: whose open_model opens it where that is not onnxruntime."""

    path: str = ""
    content: bytes = b""
    folder: str = ""
    light: bool = False
    arrays: Mapping[str, Array] = field(default_factory=dict)
    module: str = ""


def open_session(opening: Opening) -> Any:
    """An InferenceSession, or the model of another runtime and its instance. Raises: what the runtime does."""
    if opening.module:
        model = import_module(opening.module).open_model(opening.content)
        model.ends = [*model.outputs]
        return model, model.open(())
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the reference computes meanwhile
    if opening.light:  # all blobs are held at once: no second copy of weights, no memory kept for the next run
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.disable_prepacking", "1")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isascii() and threads.isdecimal() and len(threads) < 5:
        options.intra_op_num_threads = int(threads)
    if opening.folder:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", opening.folder)
    if opening.arrays:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in opening.arrays.values()]
        options.add_external_initializers(list(opening.arrays), values)
    return onnxruntime.InferenceSession(opening.path or opening.content, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, asked: Sequence[str], feeds: Mapping[str, Array]) -> list[Array]:
    """Raises: what onnxruntime does; TypeError for a value that is no array of numbers."""
    if isinstance(session, tuple):
        model, instance = session
        by_name = model.compute(instance, asked, feeds)
        return [by_name[name] for name in asked]
    values = session.run(list(asked), dict(feeds))
    for name, value in zip(asked, values, strict=True):
        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            raise TypeError(f"'{name}' is no array of numbers")
    return list(values)
