"""Net -> PyTorch: a torch.nn.Module with Caffe's names, that gives what Caffe gives and can be differentiated.

module = to_torch(net)
module(data=x)["prob"]          # by the names of the inputs, at any size that the net allows
module.conv1.blob0              # the parameters of layer conv1, as Caffe numbers them
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ...errors import NetsurgeryError, UnsupportedError, UnsupportedLayersError
from ...net import Net, require_net
from ..form import ModelForm
from ..onnx.export import build
from .graph import Node, constant, last_uses, unknown
from .operations import OPSET


def to_torch(
    net: Net,
    outputs: Sequence[str] | None = None,
    *,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
) -> CaffeModule:
    """The net as a torch.nn.Module on the CPU, float32, in evaluation mode.

    It is called with tensors in the order of the net's inputs, or by their names, and gives a dict: blob -> tensor, of `outputs` (None:
    the net's). Parameters are `module.<layer>.blob0`, ... (characters that Python cannot have in a name become `_`), learn, and are part
    of `state_dict()`. Layers whose translation computes with their parameters (BatchNorm) keep them as constants.

    Raises: UnsupportedLayersError for layers that have no translation; what to_onnx raises.
    """
    require_net(net)
    return CaffeModule(net, outputs, input_shapes)


class CaffeModule(nn.Module):
    """A net's graph, run node by node. `inputs` and `outputs` are names of blobs; `layers` names each layer's submodule."""

    def __init__(
        self,
        net: Net,
        outputs: Sequence[str] | None = None,
        input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
        *,
        shared: bool = False,
    ) -> None:
        """`shared`: parameters are the net's own arrays, and must not be changed."""
        super().__init__()
        model, arrays, _ = build(net, ModelForm(outputs, False, input_shapes, opset=OPSET, plain=True))
        _require_known(net, model.graph)
        self.inputs = [value.name for value in model.graph.input]
        self.outputs = [value.name for value in model.graph.output]
        self.layers: dict[str, str] = {}
        owners = self._parameters_of(net, {_key(array) for array in arrays.values()}, shared)
        self._sources: list[tuple[str, nn.Module, str, tuple[int, ...]]] = []
        self._constants: dict[str, Tensor] = {}
        for name, array in arrays.items():
            if _key(array) in owners and array.dtype == np.float32 and array.flags.c_contiguous:
                module, attribute = owners[_key(array)]
                self._sources.append((name, module, attribute, tuple(array.shape)))
            elif array.dtype == np.float32 and array.size > 1:
                self.register_buffer(f"_constant{len(self._constants)}", constant(array), persistent=False)
                self._constants[name] = torch.empty(0)
            else:
                self._constants[name] = constant(array)
        self._buffers_of = {
            name: f"_constant{i}" for i, name in enumerate(self._constants) if f"_constant{i}" in self._buffers
        }
        self._nodes = [Node(node) for node in model.graph.node]
        self._free = last_uses(self._nodes, self.outputs)
        self.eval()

    def _parameters_of(
        self, net: Net, used: set[tuple[int, int]], shared: bool
    ) -> dict[tuple[int, int], tuple[nn.Module, str]]:
        """A submodule for each layer with blobs, and where each blob is kept. Shared blobs are kept once, by the first layer."""
        owners: dict[tuple[int, int], tuple[nn.Module, str]] = {}
        for layer in net.layers:
            if not layer.weights:
                continue
            part = nn.Module()
            name = re.sub(r"\W", "_", layer.name)
            while name in self._modules or hasattr(self, name):
                name += "_"
            self.add_module(name, part)
            self.layers[layer.name] = name
            for i, array in enumerate(layer.weights):
                key = _key(array)
                if key in owners:
                    continue
                if key in used:
                    part.register_parameter(f"blob{i}", nn.Parameter(_tensor(array, shared), not shared))
                    owners[key] = part, f"blob{i}"
                else:
                    part.register_buffer(f"blob{i}", _tensor(array, shared))
        return owners

    def values(self) -> dict[str, Tensor]:
        """What the graph's initializers are now, by name."""
        held = dict(self._constants)
        for name, buffer in self._buffers_of.items():
            held[name] = getattr(self, buffer)
        for name, module, attribute, shape in self._sources:
            held[name] = getattr(module, attribute).reshape(shape)
        return held

    def forward(self, *args: Tensor, **kwargs: Tensor) -> dict[str, Tensor]:
        """The outputs by name. Raises: NetsurgeryError for inputs that are missing or not the net's."""
        inputs = {**dict(zip(self.inputs, args, strict=False)), **kwargs}
        if len(args) > len(self.inputs) or set(inputs) != set(self.inputs):
            raise NetsurgeryError(
                f"{len(args)} tensors and {', '.join(kwargs) or 'no names'} given",
                expected=f"tensors for: {', '.join(self.inputs)}",
            )
        held: dict[str, Any] = {**self.values(), **inputs}
        for node, free in zip(self._nodes, self._free, strict=True):
            node(held)
            for name in free:
                held.pop(name, None)
        return {name: held[name] for name in self.outputs}

    def barrier(self, *args: Tensor) -> str:
        """The layer behind which no gradient goes on, "" if there is none."""
        held: dict[str, Any] = {**self.values(), **dict(zip(self.inputs, args, strict=False))}
        for node in self._nodes:
            node(held)
            arrives = any(held[name].requires_grad for name in node.reads if name)
            if arrives and node.op_type not in ("Shape", "Size") and not held[node.writes[0]].requires_grad:
                return node.name.rpartition("/")[0] or node.name
        return ""


class TorchNet:
    """Computes one blob of a net from its one input, to be differentiated.

    Raises: UnsupportedLayersError for layers that have no translation; UnsupportedError for one that has no gradient."""

    def __init__(self, net: Net, blob: str, shape: Sequence[int]) -> None:
        (name,) = net.inputs
        self.module = CaffeModule(net, [blob], {name: list(shape)}, shared=True)
        self.net, self.input, self.blob = net, name, blob

    def __call__(self, x: Tensor) -> Tensor:
        """Shapes: the input's -> the blob's."""
        top: Tensor = self.module(x)[self.blob]
        if x.requires_grad and not top.requires_grad:
            name = self.module.barrier(x)
            layer = next((layer for layer in self.net.layers if name in (layer.name, *layer.tops)), None)
            raise UnsupportedError(
                "has no gradient",
                layer=layer.title if layer else f"'{name}'",
                source=layer.source if layer else self.net.source,
                expected="layers that can be differentiated",
            )
        return top


def _tensor(array: Any, shared: bool) -> Tensor:
    """An array as a tensor: a copy, or, `shared`, the array itself."""
    if not shared or array.dtype != np.float32:
        return torch.from_numpy(np.array(array, np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _key(array: Any) -> tuple[int, int]:
    return array.__array_interface__["data"][0], array.size


def _require_known(net: Net, graph: onnx.GraphProto) -> None:
    """Raises: UnsupportedLayersError that names every layer that is made of other operations."""
    errors: dict[str, NetsurgeryError] = {}
    unnamed: set[str] = set()
    for node in graph.node:  # the node that writes a layer's top bears the layer's name; the others stand before it
        unnamed |= unknown(node)
        if node.name and node.name in net:
            if unnamed:
                layer = net[node.name]
                errors[layer.name] = UnsupportedError(
                    f"it has no translation into PyTorch (ONNX {', '.join(sorted(unnamed))})",
                    layer=layer,
                    source=layer.source,
                )
            unnamed = set()
    if unnamed:
        errors[""] = UnsupportedError(f"ONNX {', '.join(sorted(unnamed))}: no translation into PyTorch")
    if errors:
        raise UnsupportedLayersError(list(errors.values()), "run in PyTorch")
