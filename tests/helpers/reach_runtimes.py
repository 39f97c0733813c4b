"""Runtimes that only tests/reach_table.py measures: TVM, and ncnn through pnnx. Both plan a model anew for every size of its inputs."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from netsurgery.files.packages import package
from netsurgery.verification.runtimes.onnx_model import OnnxModel


class Replanned(OnnxModel):
    """A model that is planned when its inputs come."""

    def open(self, extra: Collection[str]) -> Any:
        return self.whole(extra)

    def compute(self, instance: Any, asked: Sequence[str], feeds: Mapping[str, Any]) -> Mapping[str, Any]:
        ordered = {name: np.ascontiguousarray(feeds[name]) for name in self.inputs}
        scalars = {value.name for value in instance.graph.output if not value.type.tensor_type.shape.dim}
        values = dict(zip(self.ends, self.answers(instance, ordered), strict=True))
        return {name: x.reshape(()) if name in scalars and x.size == 1 else x for name, x in values.items()}

    def answers(self, model: onnx.ModelProto, feeds: Mapping[str, Any]) -> Sequence[Any]:
        """The model's outputs."""
        raise NotImplementedError


class Tvm(Replanned):
    name = "tvm"

    @staticmethod
    def library() -> Any:
        return package("tvm", "tvm", "TVM", "pip install apache-tvm")

    @property
    def versions(self) -> Mapping[str, str]:
        return {"tvm": version("apache-tvm")}

    def answers(self, model: onnx.ModelProto, feeds: Mapping[str, Any]) -> Sequence[Any]:
        import tvm
        from tvm.relax.frontend.onnx import from_onnx

        shapes = {name: list(array.shape) for name, array in feeds.items()}
        module = from_onnx(model, shape_dict=shapes, keep_params_in_input=False)
        machine = tvm.relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
        values = machine["main"](*map(tvm.runtime.tensor, feeds.values()))
        return [value.numpy() for value in ([values] if len(model.graph.output) == 1 else values)]


class Ncnn(Replanned):
    name = "ncnn"

    @staticmethod
    def library() -> Any:
        return package("pnnx", "ncnn", "ncnn and pnnx", "pip install ncnn pnnx torch")

    @property
    def versions(self) -> Mapping[str, str]:
        return {"ncnn": version("ncnn"), "pnnx": version("pnnx")}

    def answers(self, model: onnx.ModelProto, feeds: Mapping[str, Any]) -> Sequence[Any]:
        import ncnn  # noqa: F401
        import pnnx

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.onnx")
            path.write_bytes(model.SerializeToString())
            shapes = ",".join(f"[{','.join(map(str, array.shape))}]f32" for array in feeds.values())
            command = [pnnx.EXEC_PATH, str(path), f"inputshape={shapes}", "fp16=0"]
            done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
            script = Path(folder, "m_ncnn.py")
            if not script.is_file():
                raise RuntimeError(f"pnnx: {(done.stdout + done.stderr)[-300:]}")
            text = script.read_text().replace('"m.ncnn', f'"{folder}/m.ncnn')
            exact = "; ".join(f"net.opt.use_fp16_{use} = False" for use in ("packed", "storage", "arithmetic"))
            text = text.replace("as net:", f"as net:\n        {exact}")
            text = re.sub(r"in(\d+) = torch\.rand.*", r"in\1 = torch.from_numpy(feeds[\1])", text)
            space: dict[str, Any] = {"__name__": "m_ncnn", "feeds": list(feeds.values())}
            exec(text, space)  # what pnnx wrote
            values = space["test_inference"]()
            return [np.array(value) for value in (values if isinstance(values, tuple) else (values,))]


RUNTIMES: dict[str, type[Replanned]] = {"tvm": Tvm, "ncnn": Ncnn}


def open_model(model: Any, name: str) -> OnnxModel:
    """Raises: UnavailableError."""
    return RUNTIMES[name].of(model)
