"""netsurgery.gradient: the derivative of a blob of a net by others, by PyTorch.

data ──> .. ──> conv5 ──> .. ──> fc8 ──> prob            gradient(net, {"data": x}, of="fc8:281", to=["data", "conv5"])
dL/d data <── dL/d conv5 <── .. <── L = sum over the batch of fc8[:, 281]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source, UnsupportedError
from ..files.boundary import package
from ..net import Net
from ..passes.cut import cut
from .patches import find_unit

Array = NDArray[np.float32]


def gradient(
    net: Net,
    feeds: Mapping[str, NDArray[Any]],
    of: str,
    to: str | Sequence[str] | None = None,
    *,
    weights: NDArray[Any] | None = None,
    labels: Sequence[str] = (),
) -> dict[str, Array]:
    """dL / dB for each blob B of `to` (None: the inputs), where L is the sum of what `of` names: a blob ("prob"), or one channel of
    it by number or label ("prob:281"), over the batch and all positions. `weights`, of the blob's shape, make L = sum(weights * blob).

    A blob that layers change in place has two names for two values, as everywhere: `conv1@conv1` and, after its ReLU, `conv1`.

    Shapes: feeds by input -> by blob of `to`, in the blobs' shapes. What `of` does not depend on has zeros.
    Raises: NetsurgeryError without PyTorch (extra `torch`), ShapeError for weights of another shape, UnsupportedLayersError for layers
    without a translation, UnsupportedError where no gradient comes through.
    """
    torch = require_torch("gradients")
    from ..exporters.torch.module import CaffeModule

    blob, channel = (of, None)
    if of not in net.blobs:
        unit = find_unit(net, of, labels)
        blob, channel = unit.blob, unit.channel
    targets = list(net.inputs) if to is None else [to] if isinstance(to, str) else list(to)
    for name in (blob, *targets):
        net.writer(name)
    asked = [name for name in targets if name not in net.inputs]
    part = cut(net, list(dict.fromkeys([blob, *asked])))
    missing = [name for name in part.inputs if name not in feeds]
    if missing:
        raise NetsurgeryError(f"no feed for {', '.join(missing)}", expected=f"arrays for: {', '.join(part.inputs)}")
    arrays = {name: np.ascontiguousarray(feeds[name], np.float32) for name in part.inputs}
    shapes = {name: list(a.shape) for name, a in arrays.items()}
    module = CaffeModule(part, list(dict.fromkeys([blob, *asked])), shapes, shared=True)
    leaves = {name: torch.from_numpy(array.copy()).requires_grad_(True) for name, array in arrays.items()}
    values = module(**leaves)
    total = _total(torch, values[blob], blob, channel, weights)
    if not total.requires_grad:
        raise no_gradient(module, blob, list(leaves.values()), net.source)
    everything = {**leaves, **values}
    held = [everything.get(name) for name in targets]
    through = [t for t in held if t is not None and t.requires_grad]
    derivatives = iter(torch.autograd.grad(total, through, allow_unused=True))
    gradients: dict[str, Array] = {}
    for name, tensor in zip(targets, held, strict=True):
        slope = next(derivatives) if tensor is not None and tensor.requires_grad else None
        shape = feeds[name].shape if tensor is None else tuple(tensor.shape)
        gradients[name] = np.zeros(shape, np.float32) if slope is None else slope.detach().numpy().copy()
    return gradients


def no_gradient(module: Any, blob: str, leaves: Sequence[Any], source: Source) -> UnsupportedError:
    """The error for a blob from which no gradient comes to the inputs."""
    return UnsupportedError(
        f"no gradient comes from '{blob}' to the inputs",
        layer=f"'{module.barrier(*leaves)}'",
        source=source,
        expected="layers that can be differentiated",
    )


def _total(torch: Any, value: Any, blob: str, channel: int | None, weights: NDArray[Any] | None) -> Any:
    if weights is not None:
        if tuple(weights.shape) != tuple(value.shape):
            raise ShapeError(
                f"weights of shape {weights.shape}", expected=f"that of blob '{blob}', {tuple(value.shape)}"
            )
        value = value * torch.from_numpy(np.ascontiguousarray(weights, np.float32))
    return value.sum() if channel is None else value[:, channel].sum()


def before_softmax(net: Net, blob: str) -> str:
    """The blob below, if this one is a Softmax's: raising one class by lowering the others shows nothing."""
    writer = net.writer(blob)
    return writer.bottoms[0] if writer.kind.distribution is not None else blob


def require_torch(what: str) -> Any:
    """The module torch. Raises: NetsurgeryError if it is not installed."""
    with package(f"{what} needs PyTorch, which computes the gradients", "netsurgery[torch]"):
        import torch
    return torch
