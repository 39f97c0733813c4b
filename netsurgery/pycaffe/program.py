"""A stretch of a net in onnxruntime: compiled for the values that are wanted, with parameters as constants or as inputs.

Constants let onnxruntime lay weights out for its kernels, which is what makes it fast, and takes it long. As inputs they may be edited
between two runs at no cost. What a layer computes from its parameters while it is translated (BatchNorm) is a constant either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..exporters.onnx.session import open_session, options
from .settings import SETTINGS, gpu_providers

if TYPE_CHECKING:
    import onnx

    from .blob import Array
    from .stretch import Stretch

SMALL = 1024
"""Constants of at most so many bytes are written into the model: onnxruntime derives shapes from some."""


class Program:
    """Computes `outputs` from the stretch's inputs. `bound` are the parameters that are constants in it, by id of their blob."""

    def __init__(
        self,
        stretch: Stretch,
        outputs: Sequence[str],
        shapes: Mapping[str, Sequence[int]],
        weights: Mapping[int, Array],
        *,
        constant: bool,
    ) -> None:
        self.outputs = list(outputs)
        from ..exporters.form import ModelForm
        from ..exporters.onnx.export import build

        net = stretch.net(shapes, weights, self.outputs)
        try:
            model, arrays, _ = build(net, ModelForm(self.outputs, constant))
        except Exception:
            model, arrays, _ = build(net, ModelForm(self.outputs, constant, shapes))
            self.shapes: dict[str, tuple[int, ...]] | None = {name: tuple(shape) for name, shape in shapes.items()}
        else:
            self.shapes = None
        owners = {} if constant else {_key(array): blob for blob, array in weights.items() if array.size}
        self.weight_inputs: dict[str, tuple[int, tuple[int, ...]]] = {}
        large = {}
        tensors = []
        for proto, array in zip(model.graph.initializer, arrays.values(), strict=True):
            if _key(array) in owners and array.dtype == "float32" and array.flags.c_contiguous:
                self.weight_inputs[proto.name] = owners[_key(array)], tuple(array.shape)
                _add_input(model, proto)
                continue
            tensors.append(proto)
            if array.nbytes > SMALL and array.dtype == "float32":
                large[proto.name] = array
            else:
                proto.raw_data = array.tobytes()
        del model.graph.initializer[:]
        model.graph.initializer.extend(tensors)
        loose = {blob for blob, _ in self.weight_inputs.values()}
        self.bound = {blob: array for blob, array in weights.items() if blob not in loose}
        self.session = _open(model, large)
        self.inputs = [value.name for value in self.session.get_inputs() if value.name not in self.weight_inputs]

    def fits(self, shapes: Mapping[str, Sequence[int]], weights: Mapping[int, Array]) -> bool:
        """Whether it computes the same for these shapes and parameters."""
        if self.shapes is not None and any(tuple(shapes[n]) != s for n, s in self.shapes.items()):
            return False
        return all(weights[blob] is array for blob, array in self.bound.items())

    def run(self, feeds: Mapping[str, Array], weights: Mapping[int, Array]) -> dict[str, Array]:
        arrays = {name: feeds[name] for name in self.inputs}
        for name, (blob, shape) in self.weight_inputs.items():
            arrays[name] = weights[blob].reshape(shape)
        return dict(zip(self.outputs, self.session.run(self.outputs, arrays), strict=True))


def _key(array: Array) -> tuple[int, int]:
    return array.__array_interface__["data"][0], array.size


def _add_input(model: onnx.ModelProto, proto: onnx.TensorProto) -> None:
    from onnx import helper

    model.graph.input.append(helper.make_tensor_value_info(proto.name, proto.data_type, list(proto.dims)))


def _open(model: onnx.ModelProto, large: Mapping[str, Array]) -> Any:
    import onnxruntime
    from onnx import external_data_helper

    chosen = options()
    for proto in model.graph.initializer:
        if proto.name in large:
            proto.raw_data = b""
            external_data_helper.set_external_data(proto, "memory")
    if large:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in large.values()]
        chosen.add_external_initializers(list(large), values)
    return open_session(model.SerializeToString(), chosen, _providers())


def _providers() -> list[Any]:
    cards = [(name, {"device_id": SETTINGS.device}) for name in gpu_providers()] if SETTINGS.gpu else []
    return [*cards, "CPUExecutionProvider"]
