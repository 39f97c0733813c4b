"""ONNX models in tract, a runtime in Rust."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...exporters.onnx.light import LightModel
from .base import UnavailableError
from .onnx_model import OnnxModel, open_onnx

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class Tract(OnnxModel):
    """A model in tract, which plans it anew for every size of its inputs."""

    name = "tract"

    def __init__(self, light: LightModel, tract: Any) -> None:
        super().__init__(light)
        self.tract = tract

    @property
    def versions(self) -> Mapping[str, str]:
        from importlib.metadata import version

        return {"tract": version("tract")}

    def open(self, extra: Collection[str]) -> Any:
        return self.whole(extra)

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Sequence[Array]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(instance.SerializeToString())
            model = self.tract.onnx().load(path)
        names = [output.name for output in instance.graph.output]
        for i in range(model.input_count()):
            shape, own = feeds[model.input_name(i)].shape, self.inputs[model.input_name(i)] or ()
            if any(n not in (None, m) for n, m in zip(own, shape, strict=False)):  # it would compute something
                raise ValueError(f"the model is for {'x'.join('?' if n is None else str(n) for n in own)} alone")
            model.set_input_fact(i, ",".join(map(str, shape)) + ",f32")
        for i in range(model.output_count()):
            model.set_output_fact(i, None)
        order = [feeds[model.input_name(i)] for i in range(model.input_count())]
        values = model.into_model().into_runnable().run([np.ascontiguousarray(array) for array in order])
        by_name = {name: value.to_numpy() for name, value in zip(names, values, strict=True)}
        return [by_name[blob] for blob in asked]


def open_model(model: Model) -> Tract:
    """Raises: ParseError, UnavailableError, UnsupportedError."""
    try:
        import tract
    except ImportError as error:
        raise UnavailableError(f"tract is not there: {error}", expected="tract", fix="pip install tract") from None
    return open_onnx(model, lambda light: Tract(light, tract), "tract")
