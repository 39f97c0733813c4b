"""ONNX's operations that move numbers, and those on sizes and indices, in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

Attributes = Mapping[str, Any]

DTYPES = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool,
    10: torch.float16, 11: torch.float64,
}  # fmt: skip
"""TensorProto's numbers for types."""


def reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = [x.shape[i] if n == 0 and not a.get("allowzero", 0) else n for i, n in enumerate(shape.tolist())]
    if -1 in sizes and x.numel() == 0:
        rest = prod(n for n in sizes if n != -1)
        sizes = [(x.numel() // rest if rest else 0) if n == -1 else n for n in sizes]
    return x.reshape(sizes)


def flatten(a: Attributes, x: Tensor) -> Tensor:
    axis = a.get("axis", 1) % (x.dim() + 1)
    return x.reshape(prod(x.shape[:axis]), prod(x.shape[axis:]))


def slice_(
    a: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    along = axes.tolist() if axes is not None else range(len(starts))
    by = steps.tolist() if steps is not None else [1] * len(starts)
    for axis, start, end, step in zip(along, starts.tolist(), ends.tolist(), by, strict=True):
        taken = range(*slice(start, end, step).indices(x.shape[axis]))
        if step == 1:
            x = x.narrow(axis, taken.start if len(taken) else 0, len(taken))
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.int64, device=x.device))
    return x


def split(a: Attributes, x: Tensor, sizes: Tensor | None = None) -> Any:
    axis = a.get("axis", 0)
    if sizes is None:
        return torch.split(x, -(-x.shape[axis] // a["num_outputs"]), axis)
    return torch.split(x, sizes.tolist(), axis)


def squeeze(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


def unsqueeze(a: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    rank, sizes = x.dim() + axes.numel(), iter(x.shape)
    new = {axis % rank for axis in axes.reshape(-1).tolist()}
    return x.reshape([1 if i in new else next(sizes) for i in range(rank)])


def shape(a: Attributes, x: Tensor) -> Tensor:
    return torch.tensor(list(x.shape)[slice(a.get("start", 0), a.get("end"))], dtype=torch.int64)


def expand(a: Attributes, x: Tensor, sizes: Tensor) -> Tensor:
    goal: tuple[int, ...] = torch.broadcast_shapes(x.shape, tuple(sizes.tolist()))  # type: ignore[no-untyped-call]
    return x.expand(goal)


def pad(a: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    both = pads.tolist()
    along = [n % x.dim() for n in axes.tolist()] if axes is not None else list(range(x.dim()))
    before, after = dict.fromkeys(range(x.dim()), 0), dict.fromkeys(range(x.dim()), 0)
    before.update(zip(along, both[: len(along)], strict=True))
    after.update(zip(along, both[len(along) :], strict=True))
    mode = a.get("mode", "constant")
    if mode == "edge":
        for axis in along:
            places = torch.arange(-before[axis], x.shape[axis] + after[axis]).clamp(0, x.shape[axis] - 1)
            x = x.index_select(axis, places)
        return x
    around = [n for i in reversed(range(x.dim())) for n in (before[i], after[i])]
    return functional.pad(x, around, value=0.0 if value is None else float(value))


def _index(x: Tensor, index: Tensor, axis: int) -> Tensor:
    return torch.where(index < 0, index + x.shape[axis], index).long()


def gather(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = a.get("axis", 0) % max(x.dim(), 1)
    places = _index(x, index, axis)
    return x.index_select(axis, places.reshape(-1)).reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def gather_elements(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = a.get("axis", 0)
    return x.gather(axis, _index(x, index, axis))


def gather_nd(a: Attributes, x: Tensor, index: Tensor) -> Tensor:
    batch = a.get("batch_dims", 0)
    if not batch:
        return x[tuple(index.long().unbind(-1))]
    flat = x.reshape(-1, *x.shape[batch:])
    places = index.reshape(-1, *index.shape[batch:]).long()
    rows = [row[tuple(place.unbind(-1))] for row, place in zip(flat, places, strict=True)]
    return torch.stack(rows).reshape(*x.shape[:batch], *rows[0].shape)


def scatter_elements(a: Attributes, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    axis, how = a.get("axis", 0), a.get("reduction", "none")
    places = _index(x, index, axis)
    if how == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}[how])


def scatter_nd(a: Attributes, x: Tensor, index: Tensor, updates: Tensor) -> Tensor:
    how = a.get("reduction", "none")
    return x.index_put(tuple(index.long().unbind(-1)), updates, accumulate=how == "add")


def top_k(a: Attributes, x: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Of equal values those of the lower index first, as onnxruntime gives them."""
    axis, count = a.get("axis", -1), int(k.reshape(-1)[0])
    values, places = x.sort(dim=axis, descending=bool(a.get("largest", 1)), stable=True)
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


def arg_max(a: Attributes, x: Tensor) -> Tensor:
    axis = a.get("axis", 0)
    if a.get("select_last_index", 0):
        return x.shape[axis] - 1 - x.flip(axis).argmax(axis, keepdim=bool(a.get("keepdims", 1)))
    return x.argmax(axis, keepdim=bool(a.get("keepdims", 1)))


def one_hot(a: Attributes, index: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    n, axis = int(depth.reshape(-1)[0]), a.get("axis", -1)
    places = torch.where(index < 0, index + n, index).long()
    hot = places.unsqueeze(-1) == torch.arange(n)
    y = torch.where(hot, values[1], values[0])
    return y.movedim(-1, axis)


def compress(a: Attributes, x: Tensor, condition: Tensor) -> Tensor:
    places = condition.reshape(-1).nonzero().reshape(-1)
    if "axis" not in a:
        return x.reshape(-1).index_select(0, places)
    return x.index_select(a["axis"], places)


def cast(a: Attributes, x: Tensor) -> Tensor:
    return x.to(DTYPES[a["to"]])


def range_(a: Attributes, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def cum_sum(a: Attributes, x: Tensor, axis: Tensor) -> Tensor:
    along = int(axis.reshape(-1)[0])
    x = x.flip(along) if a.get("reverse", 0) else x
    y = x.cumsum(along)
    y = y - x if a.get("exclusive", 0) else y
    return y.flip(along) if a.get("reverse", 0) else y


def depth_to_space(a: Attributes, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    b = a["blocksize"]
    mode = a.get("mode", "DCR")
    if mode == "DCR":
        y = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(n, c // (b * b), b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // (b * b), h * b, w * b)


def reverse_sequence(a: Attributes, x: Tensor, lengths: Tensor) -> Tensor:
    time, batch = a.get("time_axis", 0), a.get("batch_axis", 1)
    y = x.movedim((batch, time), (0, 1))
    rows = []
    for row, n in zip(y, lengths.tolist(), strict=True):
        rows.append(torch.cat([row[:n].flip(0), row[n:]]))
    return torch.stack(rows).movedim((0, 1), (batch, time))


def constant_of_shape(a: Attributes, sizes: Tensor) -> Tensor:
    from onnx import numpy_helper

    value = torch.from_numpy(numpy_helper.to_array(a["value"]).copy()) if "value" in a else torch.zeros(1)
    return value.reshape(1).expand(tuple(sizes.tolist())) if sizes.numel() else value.reshape(())


def reduce_(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """An ONNX reduction, whose axes are an input, an attribute, or all."""

    def reduced(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        dims = axes.tolist() if axes is not None else a.get("axes")
        if not dims and a.get("noop_with_empty_axes", 0):
            return x
        along: Sequence[int] = dims or list(range(x.dim()))
        return run(x, dim=list(along), keepdim=bool(a.get("keepdims", 1))) if along else x

    return reduced


def product(x: Tensor, dim: Sequence[int], keepdim: bool) -> Tensor:
    for axis in sorted((d % x.dim() for d in dim), reverse=True):
        x = x.prod(axis, keepdim=keepdim)
    return x
