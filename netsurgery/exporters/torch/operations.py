"""ONNX operation -> what it is in PyTorch: a function of the attributes and the inputs (None for one that is left out)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor

from . import loops, regions, shaping, windows

Attributes = Mapping[str, Any]
Operation = Callable[..., Any]


def _gemm(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x = x.T if a.get("transA", 0) else x
    if not a.get("transA", 0) and a.get("transB", 0) and a.get("alpha", 1.0) == a.get("beta", 1.0) == 1.0:
        return functional.linear(x, w) if b is None or b.dim() > 1 else functional.linear(x, w, b)
    y: Tensor = a.get("alpha", 1.0) * (x @ (w.T if a.get("transB", 0) else w))
    return y if b is None else y + a.get("beta", 1.0) * b


def _linear(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    y = _gemm(a, x, w, b)
    plain = not a.get("transA", 0) and a.get("transB", 0) and a.get("alpha", 1.0) == a.get("beta", 1.0) == 1.0
    return y + b if plain and b is not None and b.dim() > 1 else y


def _batch_normalization(a: Attributes, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, var: Tensor) -> Tensor:
    # PyTorch has no gradient of the statistics, and nets do not learn them
    return functional.batch_norm(x, mean.detach(), var.detach(), scale, bias, eps=a.get("epsilon", 1e-5))


def _clip(a: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    if low is None and high is None:
        return x
    return x.clamp(None if low is None else low.item(), None if high is None else high.item())


def _div(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    whole = not (x.is_floating_point() or y.is_floating_point())
    return torch.div(x, y, rounding_mode="trunc") if whole else torch.div(x, y)


def _mod(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return torch.fmod(x, y) if a.get("fmod", 0) else torch.remainder(x, y)


def _pow(a: Attributes, x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x, y.to(x.dtype))


def _each(run: Callable[[Tensor], Tensor]) -> Operation:
    return lambda a, x: run(x)


def _two(run: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    def both(a: Attributes, *xs: Tensor) -> Tensor:
        y = xs[0]
        for x in xs[1:]:
            y = run(y, x)
        return y

    return both


OPSET = 21
"""ONNX's, whose forms of the operations these are."""

OPERATIONS: dict[str, Operation] = {
    "Abs": _each(torch.abs),
    "Add": _two(torch.add),
    "And": _two(torch.logical_and),
    "ArgMax": shaping.arg_max,
    "AveragePool": windows.average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": shaping.cast,
    "Ceil": _each(torch.ceil),
    "Clip": _clip,
    "Compress": shaping.compress,
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "ConstantOfShape": shaping.constant_of_shape,
    "Conv": windows.conv,
    "ConvTranspose": windows.conv_transpose,
    "Cos": _each(torch.cos),
    "CumSum": shaping.cum_sum,
    "DepthToSpace": shaping.depth_to_space,
    "Div": _div,
    "Elu": lambda a, x: functional.elu(x, a.get("alpha", 1.0)),
    "Equal": _two(torch.eq),
    "Erf": _each(torch.erf),
    "Exp": _each(torch.exp),
    "Expand": shaping.expand,
    "Flatten": shaping.flatten,
    "Floor": _each(torch.floor),
    "Gather": shaping.gather,
    "GatherElements": shaping.gather_elements,
    "GatherND": shaping.gather_nd,
    "Gelu": lambda a, x: functional.gelu(x, approximate=a.get("approximate", "none")),
    "Gemm": _linear,
    "GlobalAveragePool": lambda a, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda a, x: x.amax(tuple(range(2, x.dim())), keepdim=True),
    "Greater": _two(torch.gt),
    "GreaterOrEqual": _two(torch.ge),
    "HardSigmoid": lambda a, x: (a.get("alpha", 0.2) * x + a.get("beta", 0.5)).clamp(0, 1),
    "Identity": _each(lambda x: x),
    "LRN": windows.lrn,
    "LSTM": loops.lstm,
    "LeakyRelu": lambda a, x: functional.leaky_relu(x, a.get("alpha", 0.01)),
    "Less": _two(torch.lt),
    "LessOrEqual": _two(torch.le),
    "Log": _each(torch.log),
    "LogSoftmax": lambda a, x: torch.log_softmax(x, a.get("axis", -1)),
    "MatMul": _two(torch.matmul),
    "Max": _two(torch.maximum),
    "MaxPool": windows.max_pool,
    "MaxRoiPool": regions.max_roi_pool,
    "Mean": lambda a, *xs: sum(xs[1:], xs[0]) / len(xs),
    "Min": _two(torch.minimum),
    "Mish": _each(functional.mish),
    "Mod": _mod,
    "Mul": _two(torch.mul),
    "Neg": _each(torch.neg),
    "NonMaxSuppression": loops.non_max_suppression,
    "NonZero": lambda a, x: x.nonzero().T,
    "Not": _each(torch.logical_not),
    "OneHot": shaping.one_hot,
    "Or": _two(torch.logical_or),
    "PRelu": lambda a, x, slope: torch.where(x > 0, x, slope * x),
    "Pad": shaping.pad,
    "Pow": _pow,
    "RNN": loops.rnn,
    "Range": shaping.range_,
    "Reciprocal": _each(torch.reciprocal),
    "ReduceL1": shaping.reduce_(lambda x, **how: x.abs().sum(**how)),
    "ReduceL2": shaping.reduce_(lambda x, **how: (x * x).sum(**how).sqrt()),
    "ReduceMax": shaping.reduce_(torch.amax),
    "ReduceMean": shaping.reduce_(torch.mean),
    "ReduceMin": shaping.reduce_(torch.amin),
    "ReduceProd": shaping.reduce_(shaping.product),
    "ReduceSum": shaping.reduce_(torch.sum),
    "ReduceSumSquare": shaping.reduce_(lambda x, **how: (x * x).sum(**how)),
    "Relu": _each(torch.relu),
    "Reshape": shaping.reshape,
    "Resize": windows.resize,
    "ReverseSequence": shaping.reverse_sequence,
    "RoiAlign": regions.roi_align,
    "Round": _each(torch.round),
    "Scan": loops.scan,
    "ScatterElements": shaping.scatter_elements,
    "ScatterND": shaping.scatter_nd,
    "Selu": lambda a, x: a.get("gamma", 1.0507009873554805) * functional.elu(x, a.get("alpha", 1.6732632423543772)),
    "Shape": shaping.shape,
    "Sigmoid": _each(torch.sigmoid),
    "Sign": _each(torch.sign),
    "Sin": _each(torch.sin),
    "Size": lambda a, x: torch.tensor(x.numel()),
    "Slice": shaping.slice_,
    "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)),
    "Softplus": _each(functional.softplus),
    "Split": shaping.split,
    "Sqrt": _each(torch.sqrt),
    "Squeeze": shaping.squeeze,
    "Sub": _two(torch.sub),
    "Sum": _two(torch.add),
    "Tanh": _each(torch.tanh),
    "Tile": lambda a, x, times: x.repeat(tuple(times.tolist())),
    "TopK": shaping.top_k,
    "Transpose": lambda a, x: x.permute(a.get("perm", list(range(x.dim()))[::-1])),
    "Unsqueeze": shaping.unsqueeze,
    "Where": lambda a, condition, x, y: torch.where(condition, x, y),
}  # fmt: skip
