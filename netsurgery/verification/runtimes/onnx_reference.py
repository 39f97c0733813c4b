"""ONNX models in onnx.ReferenceEvaluator: what the ONNX standard's own Python code makes of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from ...errors import NetsurgeryError, Source, UnsupportedError
from ...exporters.onnx.light import read_light
from ...files.boundary import reading
from ...net import Net
from .base import Runtime, model_path

if TYPE_CHECKING:
    from .base import Array, Feeds, Model


class Evaluator(Runtime):
    """A model in the evaluator. Values bear the names that the model gives them."""

    name = f"onnx.ReferenceEvaluator {onnx.__version__}"
    advisory: ClassVar[bool] = True
    of_model: ClassVar[bool] = True
    note: str = (
        "advisory: it says what the standard's Python code makes of the model, not what Caffe computed. Of onnx 1.23 it is known to err in "
        "LRN and in AveragePool that rounds up with padding, and to fail on MaxRoiPool, NonMaxSuppression, grouped ConvTranspose, OneHot, "
        "Pad by negative numbers and Scan along other axes than the first"
    )

    def __init__(self, model: onnx.ModelProto, path: str) -> None:
        self.path = path
        self._model = model
        self._evaluators: dict[frozenset[str], Any] = {}

    @cached_property
    def inputs(self) -> Mapping[str, tuple[int | None, ...] | None]:
        return {value.name: None for value in self._model.graph.input}

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        return tuple(value.name for value in self._model.graph.output)

    @property
    def versions(self) -> Mapping[str, str]:
        return {"onnx": onnx.__version__}

    @cached_property
    def blobs(self) -> Collection[str]:
        return {name for node in self._model.graph.node for name in node.output} | set(self.outputs)

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        asked = [blob for blob in blobs if blob in self.blobs]
        inputs = {name: np.asarray(array, np.float32) for name, array in feeds.items()}
        try:
            with np.errstate(all="ignore"):
                values = self._with(frozenset(asked)).run(asked, inputs)
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            NotImplementedError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            # It is plain Python: an operator that it lacks or gets wrong ends in any of these.
            raise NetsurgeryError(
                f"{self.name} cannot run the model: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
                source=Source(self.path),
            ) from None
        return dict(zip(asked, map(np.asarray, values), strict=True))

    def _with(self, names: frozenset[str]) -> Any:
        if names not in self._evaluators:
            model = onnx.ModelProto()
            model.CopyFrom(self._model)
            ends = set(self.outputs)
            for name in sorted(names - ends):
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
            self._evaluators = {names: ReferenceEvaluator(model)}
        return self._evaluators[names]


def open_opinion(net: Net, model: Model) -> Evaluator:
    """Raises: UnsupportedError for what is no ONNX model."""
    if isinstance(model, Net):
        raise UnsupportedError("--against onnx needs an ONNX model", expected="MODEL.onnx as what is checked")
    if isinstance(model, onnx.ModelProto):
        return Evaluator(model, "")
    path = model_path(model)
    read_light(model)  # which refuses numbers outside of the model's folder
    with reading(path or "<bytes>", "a .onnx file", problem="is no ONNX model"):
        return Evaluator(onnx.load(path) if path else onnx.ModelProto.FromString(model), path)
