"""ONNX models in MNN, whose converter reads them first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files.packages import package
from .onnx_model import OnnxModel

if TYPE_CHECKING:
    from .base import Array, Feeds


class Mnn(OnnxModel):
    """A model in MNN."""

    name = "mnn"

    @staticmethod
    def library() -> Any:
        with _silent():
            for part in ("MNN", "MNN.expr", "MNN.nn", "_tools"):  # the last one, its converter, comes with it
                package(part, "MNN", "MNN", "pip install MNN")
        return import_module("MNN")

    @property
    def versions(self) -> Mapping[str, str]:
        return {"mnn": self.engine.version()}

    def open(self, extra: Collection[str]) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path, result = Path(folder, "model.onnx"), Path(folder, "model.mnn")
            path.write_bytes(self.whole(extra).SerializeToString())
            words = ["-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(result), "--bizCode", "x"]
            with _silent():
                import_module("_tools").mnnconvert(["mnnconvert", *words])
            if not result.exists():
                raise RuntimeError("its converter refuses the model")
            exact = self.engine.expr.PrecisionMode.High
            inputs = list(self.inputs)
            return self.engine.nn.load_module_from_file(str(result), inputs, self.ends, precision_mode=exact)

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        expr = self.engine.expr
        arrays = [np.ascontiguousarray(feeds[name]) for name in self.inputs]
        values = instance.forward([expr.const(array, list(array.shape), expr.NCHW) for array in arrays])
        values = values if isinstance(values, list | tuple) else [values]
        return {name: np.array(expr.convert(x, expr.NCHW).read()) for name, x in zip(self.ends, values, strict=True)}


class _silent:  # noqa: N801
    """Keeps what a library in C++ prints from the terminal."""

    def __enter__(self) -> None:
        self.saved = os.dup(1)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)

    def __exit__(self, *_: object) -> None:
        os.dup2(self.saved, 1)
        os.close(self.saved)


open_model = Mnn.of
