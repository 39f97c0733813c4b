"""What runtimes that read ONNX files share: the model's inputs, outputs and values, and one instance of it at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import onnx

from ...errors import NetsurgeryError, Source, UnsupportedError
from ...exporters.onnx.light import LightModel, read_light
from ...exporters.onnx.links import check_links
from ...files.boundary import reading
from ...files.memory import trim
from ...net import Net
from .apart import Apart
from .base import Runtime
from .session import Opening

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class OnnxModel(Runtime):
    """A model in a runtime. One instance lives at a time: the model as it is, or with intermediate blobs as outputs, which keeps
    runtimes from fusing the nodes between them."""

    of_model: ClassVar[bool] = True

    def __init__(self, light: LightModel, engine: Any) -> None:
        self.light, self.path, self.engine = light, light.path, engine
        self.dtypes = {
            value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            for value in light.proto.graph.input
        }
        self.ends: list[str] = []
        """The outputs of the instance, in its order."""
        self._instance: tuple[frozenset[str], Any] | None = None
        self._apart: Apart | None = None

    @staticmethod
    def library() -> Any:
        """What computes. Raises: UnavailableError."""

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model in this runtime.

        Raises: ParseError; UnavailableError; UnsupportedError for a Net; WeightsError if files that the model points to are not what
        they were."""
        engine = cls.library()
        if isinstance(model, Net):
            raise UnsupportedError(
                f"a net in {cls.name}", expected="an ONNX model", fix="netsurgery convert writes one"
            )
        light = read_light(model)
        if light.path:
            check_links(light.proto, light.path)
        with reading(light.path or "<model>", "a .onnx file", problem="is no model that can be run"):
            return cls(light, engine)

    @cached_property
    def inputs(self) -> Mapping[str, tuple[int | None, ...] | None]:
        graph = self.light.proto.graph
        constants = {tensor.name for tensor in graph.initializer}
        shapes = {value.name: value.type.tensor_type.shape.dim for value in graph.input if value.name not in constants}
        return {
            name: tuple(d.dim_value if d.HasField("dim_value") else None for d in dims) for name, dims in shapes.items()
        }

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(value.name for value in self.light.proto.graph.output)

    @property
    def is_ours(self) -> bool:
        proto = self.light.proto
        return proto.producer_name == "netsurgery" or any(p.key == "netsurgery.version" for p in proto.metadata_props)

    @cached_property
    def blobs(self) -> Collection[str]:
        return self.light.values | set(self.outputs)

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        asked = [blob for blob in blobs if blob in self.blobs]
        instance = self._with(frozenset(asked) - set(self.outputs))
        inputs = {name: np.asarray(array, self.dtypes[name]) for name, array in feeds.items() if name in self.inputs}
        try:
            if self._apart:
                return dict(zip(asked, instance.run(asked, inputs), strict=True))
            values = self.compute(instance, asked, inputs)
            return {blob: values[blob] for blob in asked}
        except Exception as error:  # what runtimes raise has no base
            shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in inputs.items())
            raise self._failure(f"fails at {shapes}", error) from None

    def set_apart(self, seconds: float) -> None:
        self._apart = Apart(seconds)

    def opening(self, extra: Collection[str]) -> Opening:
        """What a process of its own opens."""
        return Opening(content=self.whole(extra).SerializeToString(), module=type(self).__module__)

    @abstractmethod
    def open(self, extra: Collection[str]) -> Any:
        """The model in the runtime, with these values as outputs besides its own."""

    @abstractmethod
    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        """The values asked for, by name; others may be with them."""

    def whole(self, extra: Collection[str]) -> onnx.ModelProto:
        """The model with all its numbers in it, and these values as outputs."""
        model = onnx.ModelProto.FromString(self.light.with_outputs(sorted(extra)))
        infos = {info.name: info for info in model.graph.value_info}
        for output in model.graph.output:
            if output.name in extra and output.name in infos:  # some runtimes want to know the type
                output.CopyFrom(infos[output.name])
        for tensor in model.graph.initializer:
            if tensor.name in self.light.arrays:
                tensor.data_location = onnx.TensorProto.DEFAULT
                del tensor.external_data[:]
                tensor.raw_data = self.light.arrays[tensor.name].tobytes()
        if self.light.folder:
            onnx.load_external_data_for_model(model, self.light.folder)
        return model

    def _with(self, extra: frozenset[str]) -> Any:
        """The instance that gives these values besides the outputs."""
        dead = self._apart is not None and not self._apart.is_alive
        if self._instance is None or self._instance[0] != extra or dead:
            self._instance = None  # the old one goes before the new one comes
            trim()
            self.ends = [*self.outputs, *sorted(extra)]
            try:
                self._instance = extra, self._open_apart(self._apart, extra) if self._apart else self.open(extra)
            except Exception as error:
                raise self._failure("cannot be opened", error) from None
        return self._instance[1]

    def _open_apart(self, apart: Apart, extra: Collection[str]) -> Apart:
        self._apart = apart if apart.is_alive else Apart(apart.seconds)
        self._apart.open(self.opening(extra))
        return self._apart

    def _failure(self, what: str, error: BaseException) -> NetsurgeryError:
        version = " ".join(self.versions.values())
        said = " ".join(str(error).split()) or type(error).__name__
        return NetsurgeryError(f"{what}: {self.name} {version} says: {said}", source=Source(self.path or "<model>"))
