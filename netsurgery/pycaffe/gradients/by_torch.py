"""Gradients by PyTorch: of convolutions and recurrent layers, and of any other layer through its translation.

A layer is translated at the sizes that it has now, with its bottoms and those of its parameters that the translation keeps as leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UnsupportedError
from ...files.boundary import package
from ...layers.convolution import Convolution
from ...layers.shared.recurrence import Recurrent
from ..kind_op import KindOp
from ..slot import Slot
from .rule import past, seen

if TYPE_CHECKING:
    from torch import Tensor


def _torch(slot: Slot) -> Any:
    with package(
        "its gradient needs PyTorch, which is not installed", "netsurgery[torch]", layer=slot, error=UnsupportedError
    ):
        import torch
    return torch


def _leaf(torch: Any, array: Any, need: bool) -> Any:
    tensor = torch.from_numpy(np.array(array, np.float32))
    return tensor.requires_grad_(need)


def differentiate(slot: Slot) -> None:
    """Writes the diffs of the bottoms that need one, adds to those of the parameters.

    Raises: UnsupportedError without PyTorch, or for a layer whose translation has no gradient."""
    torch = _torch(slot)
    if slot.type in ("Convolution", "Deconvolution"):
        _convolutions(torch, slot)
        return
    compute = _COMPUTE.get(slot.type, _translated)
    needs = list(slot.bottom_need)
    if compute is _recurrent:  # in Caffe no gradient goes through states, also where they are bottoms and tops
        kind = slot.op.kind
        assert isinstance(kind, Recurrent)
        count = 2 + kind.static(slot.op.reads)
        needs[count:] = [False] * len(needs[count:])
    bottoms = [
        _leaf(torch, (past if slot.type == "Pooling" else seen)(slot) if i == 0 else blob.read_data(), need)
        for i, (blob, need) in enumerate(zip(slot.bottoms, needs, strict=True))
    ]
    params = [_leaf(torch, blob.read_data(), need) for blob, need in zip(slot.blobs, slot.param_need, strict=True)]
    leaves = [t for t in (*bottoms, *params) if t.requires_grad]
    if not leaves:
        return
    tops = compute(slot, bottoms, params)
    pairs = [
        (top, torch.from_numpy(np.array(blob.read_diff(), np.float32)).reshape(top.shape))
        for top, blob in zip(tops, slot.tops, strict=False)
        if top.requires_grad
    ]
    if not pairs:
        raise UnsupportedError("has no gradient", layer=slot)
    grads = torch.autograd.grad([t for t, _ in pairs], leaves, [d for _, d in pairs], allow_unused=True)
    derivatives = iter(grads)
    for blob, tensor in zip(slot.bottoms, bottoms, strict=True):
        if tensor.requires_grad:
            grad = next(derivatives)
            blob.write_diff(0.0 if grad is None else grad.numpy())
    for blob, tensor in zip(slot.blobs, params, strict=True):
        if tensor.requires_grad and (grad := next(derivatives)) is not None:
            blob.add_diff(grad.numpy())


def _convolutions(torch: Any, slot: Slot) -> None:
    """dx, dW and db of Convolution and Deconvolution, for each pair of bottom and top, without computing the tops again."""
    kind = slot.op.kind
    assert isinstance(kind, Convolution)
    weight = torch.from_numpy(np.array(slot.blobs[0].read_data(), np.float32))
    window = kind.windows(weight.dim())
    needs = [*slot.param_need, False][:2]
    for need, bottom, top in zip(slot.bottom_need, slot.bottoms, slot.tops, strict=False):
        if not (need or any(needs)):
            continue
        x, dy = (torch.from_numpy(np.array(a, np.float32)) for a in (bottom.read_data(), top.read_diff()))
        if slot.type == "Convolution" and any(tail := window.over(x.shape[2:]).tail):
            # zeros where the kernel reaches past the padding
            x = torch.nn.functional.pad(x, [n for t in reversed(tail) for n in (0, t)])
        sizes = list(window.stride), list(window.pad), list(window.dilation)
        transposed, mask = slot.type == "Deconvolution", [need, *needs]
        grads = torch.ops.aten.convolution_backward(
            dy, x, weight, [dy.shape[1]], *sizes, transposed, [0] * len(window.kernel), kind.group, mask
        )
        if need:
            bottom.write_diff(grads[0].numpy()[tuple(map(slice, bottom.sizes))])
        for blob, learns, grad in zip(slot.blobs, needs, grads[1:], strict=False):
            if learns:
                blob.add_diff(grad.numpy())


def _recurrent(slot: Slot, bottoms: Sequence[Tensor], params: Sequence[Tensor]) -> list[Tensor]:
    """The layer step by step from the state that it began with, through which no gradient goes."""
    import torch

    kind = slot.op.kind
    assert isinstance(kind, Recurrent)
    x, cont = bottoms[:2]
    shown = len(slot.op.reads) > len(slot.bottoms)
    steps, n = cont.shape
    static = kind.static(slot.op.reads)
    gates = x.reshape(steps, n, -1) @ params[0].T + params[1]
    if static:
        gates = gates + bottoms[2].reshape(n, -1) @ params[2].T
    states = _first_states(slot) if shown else [b[0] for b in bottoms[2 + static :]]
    rest = params[2 + static :]
    rows = []
    for t in range(steps):
        going = cont[t].unsqueeze(1)
        step = gates[t] + (going * states[0]) @ rest[0].T
        if slot.type == "LSTM":
            i, f, o, g = step.chunk(4, 1)
            cell = going * f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
            states = [o.sigmoid() * cell.tanh(), cell]
        else:
            states = [step.tanh()]
        rows.append(states[0])
    y = torch.stack(rows)
    if slot.type == "RNN":
        y = (y @ rest[1].T + rest[2]).tanh()
    return [y]


def _first_states(slot: Slot) -> list[Tensor]:
    """The states before the first step of the last forward."""
    import torch

    states, first = slot.op.reads[len(slot.bottoms) :], len(slot.bottoms)
    if slot.trace is None:
        return [torch.zeros(blob.sizes[1:]) for blob in states]
    return [torch.from_numpy(np.array(slot.trace.bottom(slot, first + i)[0])) for i in range(len(states))]


def _translated(slot: Slot, bottoms: Sequence[Tensor], params: Sequence[Tensor]) -> list[Tensor]:
    """The layer through the exporter's graph of it."""
    import torch

    from ...exporters.form import ModelForm
    from ...exporters.onnx.export import build
    from ...exporters.torch.graph import Node, constant, run, unknown
    from ...exporters.torch.operations import OPSET
    from ...net import Net
    from ..stretch import input_layer

    op = slot.op
    assert isinstance(op, KindOp)
    names = [f"bottom{i}" for i in range(len(bottoms))]
    tops = [f"top{i}" for i in range(len(op.writes))]
    weights = tuple(np.ascontiguousarray(p.detach().numpy()) for p in params)
    layer = replace(op.layer, bottoms=tuple(names), tops=tuple(tops), weights=weights)
    heads = [input_layer(name, x.shape) for name, x in zip(names, bottoms, strict=True)]
    shapes = {name: list(x.shape) for name, x in zip(names, bottoms, strict=True)}
    model, arrays, _ = build(Net((*heads, layer)), ModelForm(tops, False, shapes, opset=OPSET))
    if missing := {name for node in model.graph.node for name in unknown(node)}:
        raise UnsupportedError(
            f"its gradient is not known here (ONNX {', '.join(sorted(missing))})", layer=slot, source=slot.source
        )
    owners = {(w.__array_interface__["data"][0], w.size): p for w, p in zip(weights, params, strict=True) if w.size}
    values: dict[str, Tensor] = dict(zip(names, bottoms, strict=True))
    used = set()
    for name, array in arrays.items():
        key = array.__array_interface__["data"][0], array.size
        if key in owners and array.flags.c_contiguous:
            values[name] = owners[key].reshape(array.shape)
            used.add(key)
        else:
            values[name] = constant(array)
    for index, (key, param) in enumerate(owners.items()):
        if param.requires_grad and key not in used:
            raise UnsupportedError(f"the gradient of its blob {index} is not known here", layer=slot)
    with torch.enable_grad():
        held = run([Node(node) for node in model.graph.node], values, tops)
    return [held[top] for top in tops]


_COMPUTE: dict[str, Callable[[Slot, Sequence[Tensor], Sequence[Tensor]], list[Tensor]]] = {
    "LSTM": _recurrent,
    "RNN": _recurrent,
}
