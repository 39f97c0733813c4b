"""ONNX -> OpenVINO's own format, by its own converter."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ..files.output import replacing_all
from ..files.packages import package


def openvino() -> Any:
    """The module. Raises: UnavailableError."""
    return package("openvino", "openvino", "OpenVINO", "pip install openvino")


def write_ir(model: Path, path: Path) -> None:
    """Writes an ONNX model as `path` (.xml) and the .bin beside it, both or none; weights stay float32."""
    engine = openvino()
    with tempfile.TemporaryDirectory(prefix=".netsurgery-", dir=path.resolve().parent) as folder:
        ir = Path(folder, path.name)
        engine.save_model(engine.Core().read_model(model), ir, compress_to_fp16=False)
        with replacing_all([path, path.with_suffix(".bin")]) as files:
            for file, source in zip(files, (ir, ir.with_suffix(".bin")), strict=True):
                file.write(source.read_bytes())
