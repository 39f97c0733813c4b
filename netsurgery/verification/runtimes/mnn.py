"""ONNX models in MNN, whose converter reads them first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exporters.onnx.light import LightModel
from .base import UnavailableError
from .onnx_model import OnnxModel, open_onnx

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class Mnn(OnnxModel):
    """A model in MNN."""

    name = "mnn"

    def __init__(self, light: LightModel, mnn: Any, converter: Any) -> None:
        super().__init__(light)
        self.mnn, self.converter = mnn, converter

    @property
    def versions(self) -> Mapping[str, str]:
        return {"mnn": self.mnn.version()}

    def open(self, extra: Collection[str]) -> Any:
        model = self.whole(extra)
        names = [output.name for output in model.graph.output]
        with tempfile.TemporaryDirectory() as folder:
            path, result = Path(folder, "model.onnx"), Path(folder, "model.mnn")
            path.write_bytes(model.SerializeToString())
            words = ["-f", "ONNX", "--modelFile", str(path), "--MNNModel", str(result), "--bizCode", "x"]
            with _silent():
                self.converter.mnnconvert(["mnnconvert", *words])
            if not result.exists():
                raise RuntimeError("its converter refuses the model")
            exact = self.mnn.expr.PrecisionMode.High
            module = self.mnn.nn.load_module_from_file(str(result), list(self.inputs), names, precision_mode=exact)
        return module, names

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Sequence[Array]:
        module, names = instance
        variables = []
        for name in self.inputs:
            array = np.ascontiguousarray(feeds[name])
            variables.append(self.mnn.expr.const(array, list(array.shape), self.mnn.expr.NCHW))
        values = module.forward(variables)
        by_name = dict(zip(names, values if isinstance(values, list | tuple) else [values], strict=True))
        return [np.array(self.mnn.expr.convert(by_name[blob], self.mnn.expr.NCHW).read()) for blob in asked]


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


def open_model(model: Model) -> Mnn:
    """Raises: ParseError, UnavailableError, UnsupportedError."""
    try:
        with _silent():
            import MNN
            import MNN.expr
            import MNN.nn

            converter = import_module("_tools")  # comes with MNN
    except ImportError as error:
        raise UnavailableError(f"MNN is not there: {error}", expected="MNN", fix="pip install MNN") from None
    return open_onnx(model, lambda light: Mnn(light, MNN, converter), "mnn")
