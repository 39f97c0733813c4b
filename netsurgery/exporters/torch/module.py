"""A net in PyTorch, for gradients: the graph that the exporter makes of it at one input size, node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as functional
from onnx import helper, numpy_helper
from torch import Tensor

from ...errors import NetsurgeryError, UnsupportedError, UnsupportedLayersError
from ...net import Net
from ..onnx.export import to_onnx

Attributes = Mapping[str, Any]


class TorchNet:
    """Computes one blob of a net from its one input, at a fixed input size. Raises: UnsupportedLayersError for layers whose operations
    are not in the table below."""

    def __init__(self, net: Net, blob: str, shape: Sequence[int]) -> None:
        (name,) = net.inputs
        model = to_onnx(net, outputs=[blob], input_shapes={name: list(shape)})
        _require_known(net, model.graph)
        self.input, self.blob = name, blob
        self.constants = {x.name: torch.from_numpy(numpy_helper.to_array(x).copy()) for x in model.graph.initializer}
        self.nodes = [
            (
                _OPERATIONS[n.op_type],
                list(n.input),
                list(n.output),
                {a.name: helper.get_attribute_value(a) for a in n.attribute},
            )
            for n in model.graph.node
        ]

    def __call__(self, x: Tensor) -> Tensor:
        """Shapes: the input's -> the blob's."""
        held: dict[str, Any] = {**self.constants, self.input: x, "": None}
        for operation, inputs, outputs, attributes in self.nodes:
            made = operation(attributes, *(held[i] for i in inputs))
            tops = made if isinstance(made, (tuple, list)) else (made,)
            held.update(zip(outputs, tops, strict=False))
        found: Tensor = held[self.blob]
        return found


def _require_known(net: Net, graph: onnx.GraphProto) -> None:
    """Raises: UnsupportedLayersError that names every layer that is made of other operations."""
    errors: dict[str, NetsurgeryError] = {}
    unnamed: set[str] = set()
    read = {name for node in graph.node for name in node.input} | {x.name for x in graph.output}
    for node in graph.node:  # the node that writes a layer's top bears the layer's name; the others stand before it
        if (
            node.op_type not in _OPERATIONS
            or node.domain
            or (node.op_type == "MaxPool" and read.intersection(node.output[1:]))
        ):
            unnamed.add(node.op_type)
        if node.name and node.name in net:
            if unnamed:
                layer = net[node.name]
                errors[layer.name] = UnsupportedError(
                    f"its gradient is not known here (ONNX {', '.join(sorted(unnamed))})",
                    layer=layer.title,
                    source=layer.source,
                )
            unnamed = set()
    if unnamed:
        errors[""] = UnsupportedError(f"ONNX {', '.join(sorted(unnamed))}: the gradient is not known here")
    if errors:
        raise UnsupportedLayersError(list(errors.values()), "run in PyTorch")


def _pads(attributes: Attributes) -> tuple[list[int], list[int]]:
    pads = list(attributes.get("pads", ())) or [0, 0] * len(attributes["kernel_shape"])
    return pads[: len(pads) // 2], pads[len(pads) // 2 :]


def _padded(x: Tensor, before: Sequence[int], after: Sequence[int], value: float) -> Tensor:
    """x with more around its last axes."""
    around = [n for a, b in zip(reversed(before), reversed(after), strict=True) for n in (a, b)]
    return functional.pad(x, around, value=value) if any(around) else x


def _conv(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x = _padded(x, *_pads(a), 0.0)
    run = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}[x.dim()]
    return run(x, w, b, stride=a.get("strides", 1), dilation=a.get("dilations", 1), groups=a.get("group", 1))


def _conv_transpose(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    before, after = _pads(a)
    y = functional.conv_transpose2d(
        x, w, b, stride=a.get("strides", 1), dilation=a.get("dilations", 1), groups=a.get("group", 1),
        output_padding=a.get("output_padding", 0),
    )  # fmt: skip
    return y[:, :, before[0] : y.shape[2] - after[0], before[1] : y.shape[3] - after[1]]


def _ceil_tail(x: Tensor, a: Attributes) -> tuple[list[int], list[int]]:
    """The padding of a pooling: as said, and behind it what its last window needs where sizes are rounded up."""
    before, after = _pads(a)
    if a.get("ceil_mode", 0):
        for i, (k, s) in enumerate(zip(a["kernel_shape"], a["strides"], strict=True)):
            n = x.shape[2 + i]
            count = -(-(n + before[i] + after[i] - k) // s) + 1
            if (count - 1) * s >= n + before[i]:  # the last window would start behind image and left padding
                count -= 1
            after[i] = max(after[i], (count - 1) * s + k - n - before[i])
    return before, after


def _max_pool(a: Attributes, x: Tensor) -> Tensor:
    before, after = _ceil_tail(x, a)
    x = _padded(x, before, after, float("-inf"))
    pool = {3: functional.max_pool1d, 4: functional.max_pool2d, 5: functional.max_pool3d}[x.dim()]
    return pool(x, a["kernel_shape"], a.get("strides", 1), dilation=a.get("dilations", 1))


def _average_pool(a: Attributes, x: Tensor) -> Tensor:
    kernel, strides = a["kernel_shape"], a.get("strides", [1] * (x.dim() - 2))
    pool = {3: functional.avg_pool1d, 4: functional.avg_pool2d, 5: functional.avg_pool3d}[x.dim()]
    before, after = _ceil_tail(x, {**a, "strides": strides})
    stated = _pads(a)
    # what counts: the image and, with count_include_pad, the padding that was asked for
    ones = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    ones = _padded(ones, *stated, 1.0 if a.get("count_include_pad", 0) else 0.0)
    tail = [whole - part for whole, part in zip(after, stated[1], strict=True)]
    ones = _padded(ones, [0] * len(tail), tail, 0.0)
    return pool(_padded(x, before, after, 0.0), kernel, strides) / pool(ones, kernel, strides)


def _lrn(a: Attributes, x: Tensor) -> Tensor:
    size = a["size"]
    squares = functional.pad((x * x).unsqueeze(1), (0, 0, 0, 0, (size - 1) // 2, size // 2))
    mean = functional.avg_pool3d(squares, (size, 1, 1), 1).squeeze(1)
    return x * (a.get("bias", 1.0) + a.get("alpha", 1e-4) * mean) ** -a.get("beta", 0.75)


def _gemm(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x = x.T if a.get("transA", 0) else x
    y = a.get("alpha", 1.0) * (x @ (w.T if a.get("transB", 0) else w))
    return y if b is None else y + a.get("beta", 1.0) * b


def _batch_normalization(
    a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor
) -> Tensor:
    return functional.batch_norm(x, mean, variance, scale, bias, eps=a.get("epsilon", 1e-5))


def _reshape(a: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())]
    return x.reshape(sizes)


def _flatten(a: Attributes, x: Tensor) -> Tensor:
    axis = a.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _slice(
    a: Attributes, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None
) -> Tensor:
    along = axes.tolist() if axes is not None else range(len(starts))
    by = steps.tolist() if steps is not None else [1] * len(starts)
    for axis, start, end, step in zip(along, starts.tolist(), ends.tolist(), by, strict=True):
        kept = (
            torch.arange(x.shape[axis])[slice(start, end, step)]
            if step > 0
            else torch.tensor(range(x.shape[axis])[start:end:step])
        )
        x = x.index_select(axis, kept)
    return x


def _split(a: Attributes, x: Tensor, sizes: Tensor | None = None) -> Any:
    axis = a.get("axis", 0)
    if sizes is None:
        return x.split(x.shape[axis] // a["num_outputs"], axis)
    return x.split(sizes.tolist(), axis)


def _clip(a: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return x.clamp(None if low is None else float(low), None if high is None else float(high))


def _reduce(run: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(a: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        along = axes.tolist() if axes is not None else a.get("axes", list(range(x.dim())))
        return run(x, dim=list(along), keepdim=bool(a.get("keepdims", 1)))

    return reduce


def _each(run: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda a, x: run(x)


def _two(run: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def both(a: Attributes, *xs: Tensor) -> Tensor:
        y = xs[0]
        for x in xs[1:]:
            y = run(y, x)
        return y

    return both


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Abs": _each(torch.abs),
    "Add": _two(torch.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Clip": _clip,
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _two(torch.div),
    "Elu": lambda a, x: functional.elu(x, a.get("alpha", 1.0)),
    "Exp": _each(torch.exp),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _each(lambda x: x.mean((2, 3), keepdim=True)),
    "GlobalMaxPool": _each(lambda x: x.amax((2, 3), keepdim=True)),
    "HardSigmoid": lambda a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1),
    "Identity": _each(lambda x: x),
    "LRN": _lrn,
    "LeakyRelu": lambda a, x: functional.leaky_relu(x, a.get("alpha", 0.01)),
    "Log": _each(torch.log),
    "LogSoftmax": lambda a, x: torch.log_softmax(x, a.get("axis", -1)),
    "MatMul": _two(torch.matmul),
    "Max": _two(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _two(torch.minimum),
    "Mul": _two(torch.mul),
    "Neg": _each(torch.neg),
    "PRelu": lambda a, x, slope: torch.where(x > 0, x, slope * x),
    "Pow": _two(torch.pow),
    "Reciprocal": _each(torch.reciprocal),
    "ReduceL1": _reduce(lambda x, **kept: x.abs().sum(**kept)),
    "ReduceL2": _reduce(lambda x, **kept: (x * x).sum(**kept).sqrt()),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "ReduceSumSquare": _reduce(lambda x, **kept: (x * x).sum(**kept)),
    "Relu": _each(torch.relu),
    "Reshape": _reshape,
    "Selu": lambda a, x: a.get("gamma", 1.0507009873554805) * functional.elu(x, a.get("alpha", 1.6732632423543772)),
    "Sigmoid": _each(torch.sigmoid),
    "Slice": _slice,
    "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)),
    "Softplus": _each(functional.softplus),
    "Split": _split,
    "Sqrt": _each(torch.sqrt),
    "Squeeze": lambda a, x, axes=None: x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist())),
    "Sub": _two(torch.sub),
    "Sum": _two(torch.add),
    "Tanh": _each(torch.tanh),
    "Transpose": lambda a, x: x.permute(a.get("perm", list(range(x.dim()))[::-1])),
    "Unsqueeze": lambda a, x, axes: x.reshape(_with_ones(x.shape, axes.tolist())),
}  # fmt: skip


def _with_ones(shape: Sequence[int], axes: Sequence[int]) -> list[int]:
    rank, sizes = len(shape) + len(axes), iter(shape)
    new = {axis % rank for axis in axes}
    return [1 if i in new else next(sizes) for i in range(rank)]
