"""Damage done to ONNX models, one at a time, and how far it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cases
import numpy as np
import onnx

from netsurgery.errors import NetsurgeryError
from netsurgery.verification.runtimes.onnxruntime import open_model

ACTIVATIONS = {"Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "Elu"}

Mutation = tuple[str, onnx.ModelProto]


def mutations(model: onnx.ModelProto, seed: int) -> Iterator[Mutation]:
    """Damaged copies, each with one damage, and what it is."""
    for mutate in (a_weight, swapped_channels, an_attribute, no_activation, padding_excluded, lrn_alpha, softmax_axis):
        for i in range(sum(1 for _ in mutate(copied(model), -1))):
            damaged = copied(model)
            if i < 3 or (i + seed) % 4 == 0:
                what = [w for j, w in enumerate(mutate(damaged, i)) if j == i]
                yield f"{mutate.__name__}: {what[0]}", damaged


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made


def floats(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    arrays = [
        (t, onnx.numpy_helper.to_array(t)) for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT
    ]
    return [tensor for tensor, array in arrays if 0 < np.abs(array).max(initial=0) < 1e30]


# Each mutator goes over the places where it could do damage, and does it at the `at`-th.


def a_weight(model: onnx.ModelProto, at: int) -> Iterator[str]:
    for i, tensor in enumerate(floats(model)):
        if i == at:
            array = onnx.numpy_helper.to_array(tensor).copy()
            array.flat[np.abs(array).argmax()] *= np.float32(1.01)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        yield f"{tensor.name} by 1 %"


def swapped_channels(model: onnx.ModelProto, at: int) -> Iterator[str]:
    several = [t for t in floats(model) if len(t.dims) >= 2 and t.dims[0] >= 2]
    for i, tensor in enumerate(several):
        if i == at:
            array = onnx.numpy_helper.to_array(tensor).copy()
            array[[0, 1]] = array[[1, 0]]
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
        yield f"{tensor.name}, the first two channels"


def an_attribute(model: onnx.ModelProto, at: int) -> Iterator[str]:
    i = 0
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("ceil_mode", "count_include_pad", "to", "storage_order", "keepdims"):
                continue
            if attribute.type == onnx.AttributeProto.INT:
                if i == at:
                    attribute.i += 1
                i += 1
                yield f"{node.name}.{attribute.name} + 1"
            elif attribute.type == onnx.AttributeProto.INTS and attribute.ints:
                if i == at:
                    attribute.ints[-1] += 1
                i += 1
                yield f"{node.name}.{attribute.name}[-1] + 1"


def no_activation(model: onnx.ModelProto, at: int) -> Iterator[str]:
    for i, node in enumerate(n for n in model.graph.node if n.op_type in ACTIVATIONS):
        if i == at:
            node.op_type = "Identity"
            del node.attribute[:]
            del node.input[1:]
        yield node.name


def padding_excluded(model: onnx.ModelProto, at: int) -> Iterator[str]:
    for i, node in enumerate(n for n in model.graph.node if n.op_type == "AveragePool"):
        if i == at:
            for attribute in node.attribute:
                if attribute.name == "count_include_pad":
                    attribute.i = 0
        yield node.name


def lrn_alpha(model: onnx.ModelProto, at: int) -> Iterator[str]:
    for i, node in enumerate(n for n in model.graph.node if n.op_type == "LRN"):
        if i == at:
            size = next(a.i for a in node.attribute if a.name == "size")
            for attribute in node.attribute:
                if attribute.name == "alpha":
                    attribute.f /= size
        yield node.name


def softmax_axis(model: onnx.ModelProto, at: int) -> Iterator[str]:
    for i, node in enumerate(n for n in model.graph.node if n.op_type == "Softmax"):
        if i == at:
            for attribute in node.attribute:
                if attribute.name == "axis":
                    attribute.i = 0 if attribute.i != 0 else 1
        yield node.name


def values(model: onnx.ModelProto, feed: cases.Blobs, blobs: list[str]) -> dict[str, np.ndarray[Any, Any]] | None:
    """What a model gives; None if it does not run, which needs no check to be noticed."""
    try:
        return open_model(model).run(feed, blobs)
    except NetsurgeryError:
        return None


def change(before: np.ndarray[Any, Any], after: np.ndarray[Any, Any]) -> float:
    """How far apart two arrays are, as a share of the first one's largest value. (Not by verify's own code.)"""
    if before.shape != after.shape:
        return np.inf
    apart = np.abs(np.float64(after) - before)[~((before == after) | (np.isnan(before) & np.isnan(after)))]
    largest = np.abs(before[np.isfinite(before)]).max(initial=0)
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0) / max(largest, 1e-9))
