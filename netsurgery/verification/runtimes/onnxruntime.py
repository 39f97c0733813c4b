"""ONNX models in onnxruntime, on the CPU: what users run."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnx
import onnxruntime

from ...errors import NetsurgeryError, Source
from ...exporters.onnx.light import LightModel, read_light
from ...exporters.onnx.links import check_links
from ...files.boundary import reading
from .base import Runtime

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class OnnxRuntime(Runtime):
    """A model in onnxruntime. One session lives at a time: the model as it is, or with intermediate blobs as outputs, which keeps
    onnxruntime from fusing the nodes between them."""

    name = "onnxruntime"
    of_model: ClassVar[bool] = True

    def __init__(self, light: LightModel) -> None:
        self.light, self.path = light, light.path
        graph = light.proto.graph
        given = {tensor.name for tensor in graph.initializer}
        self._inputs: dict[str, tuple[int | None, ...] | None] = {
            value.name: tuple(
                d.dim_value if d.HasField("dim_value") else None for d in value.type.tensor_type.shape.dim
            )
            for value in graph.input
            if value.name not in given
        }
        self.dtypes = {
            value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type) for value in graph.input
        }
        self._outputs = tuple(value.name for value in graph.output)
        self._session: tuple[frozenset[str], Any] | None = None

    @property
    def inputs(self) -> dict[str, tuple[int | None, ...] | None]:
        return self._inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        return self._outputs

    @property
    def versions(self) -> Mapping[str, str]:
        return {"onnxruntime": onnxruntime.__version__}

    @property
    def is_ours(self) -> bool:
        proto = self.light.proto
        return proto.producer_name == "netsurgery" or any(p.key == "netsurgery.version" for p in proto.metadata_props)

    @cached_property
    def blobs(self) -> Collection[str]:
        return self.light.values | set(self.outputs)

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        asked = [blob for blob in blobs if blob in self.blobs]
        session = self._with(frozenset(asked) - set(self.outputs))
        given = {name: np.asarray(array, self.dtypes[name]) for name, array in feeds.items() if name in self.inputs}
        try:
            values = session.run(asked, given)
        except Exception as error:  # onnxruntime's own have no base of their own
            shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in given.items())
            raise self._failure(f"fails at {shapes}", error) from None
        return dict(zip(asked, values, strict=True))

    def _with(self, extra: frozenset[str]) -> Any:
        """The session that gives these values besides the outputs."""
        if self._session is None or self._session[0] != extra:
            self._session = None  # the old one goes before the new one comes
            self._session = extra, self._open(extra)
        return self._session[1]

    def _open(self, extra: frozenset[str]) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
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
        try:
            return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise self._failure("cannot be opened", error) from None

    def _failure(self, what: str, error: BaseException) -> NetsurgeryError:
        return NetsurgeryError(
            f"{what}: onnxruntime {onnxruntime.__version__} says: {' '.join(str(error).split())}",
            source=Source(self.path or "<model>"),
        )


def open_model(model: Model) -> OnnxRuntime:
    """Raises: ParseError; WeightsError if files that the model points to are not what they were."""
    light = read_light(model)
    if light.path:
        check_links(light.proto, light.path)
    with reading(light.path or "<model>", "a .onnx file", problem="is no model that can be run"):
        return OnnxRuntime(light)
