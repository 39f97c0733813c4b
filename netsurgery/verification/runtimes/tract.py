"""ONNX models in tract, a runtime in Rust."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files.packages import package
from .onnx_model import OnnxModel

if TYPE_CHECKING:
    from .base import Array, Feeds


class Tract(OnnxModel):
    """A model in tract, which plans it anew for every size of its inputs."""

    name = "tract"

    @staticmethod
    def library() -> Any:
        return package("tract", "tract", "tract", "pip install tract")

    @property
    def versions(self) -> Mapping[str, str]:
        return {"tract": version("tract")}

    def open(self, extra: Collection[str]) -> Any:
        return self.whole(extra).SerializeToString()

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(instance)
            model = self.engine.onnx().load(path)
        names = [model.input_name(i) for i in range(model.input_count())]
        for i, name in enumerate(names):
            shape, own = feeds[name].shape, self.inputs[name] or ()
            if any(n not in (None, m) for n, m in zip(own, shape, strict=False)):  # it would compute something
                raise ValueError(f"the model is for {'x'.join('?' if n is None else str(n) for n in own)} alone")
            model.set_input_fact(i, ",".join(map(str, shape)) + ",f32")
        for i in range(model.output_count()):
            model.set_output_fact(i, None)
        values = model.into_model().into_runnable().run([np.ascontiguousarray(feeds[name]) for name in names])
        return {name: value.to_numpy() for name, value in zip(self.ends, values, strict=True)}


open_model = Tract.of
