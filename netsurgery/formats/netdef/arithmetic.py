"""Arithmetic of Caffe2's operators as layers of Caffe's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .reader import Array, Importer, Op, insert, number

Rule = Callable[[Importer, Op], None]


def power(power: float = 1.0, scale: float = 1.0) -> Rule:
    return simple("Power", f"power_param {{ power: {number(power)} scale: {number(scale)} }}")


def simple(type: str, params: str = "") -> Rule:
    """An operator that is a layer of one bottom and one top."""

    def rule(net: Importer, op: Op) -> None:
        net.become(op, type, params)

    return rule


def eltwise(operation: str) -> Rule:
    def rule(net: Importer, op: Op) -> None:
        bottoms = [net.blob(op, name) for name in op.inputs]
        if any(net.shape(b) != net.shape(bottoms[0]) for b in bottoms):
            raise op.refuse(f"inputs of the shapes {[net.shape(b) for b in bottoms]}", expected="shapes that are alike")
        if len(bottoms) == 1:
            net.add(op, "Split", bottoms, op.outputs[:1])
            return
        share = f" coeff: {number(1 / len(bottoms))}" * len(bottoms) if operation == "MEAN" else ""
        kind = "SUM" if operation == "MEAN" else operation
        net.add(op, "Eltwise", bottoms, op.outputs[:1], f"eltwise_param {{ operation: {kind}{share} }}")

    return rule


def weighted_sum(net: Importer, op: Op) -> None:
    bottoms = [net.blob(op, name) for name in op.inputs[::2]]
    shares = [float(net.parameter(op, i).reshape(())) for i in range(1, len(op.inputs), 2)]
    if len(bottoms) == 1:
        net.add(op, "Power", bottoms, op.outputs[:1], f"power_param {{ scale: {number(shares[0])} }}")
        return
    coeff = " ".join(f"coeff: {number(c)}" for c in shares)
    net.add(op, "Eltwise", bottoms, op.outputs[:1], f"eltwise_param {{ operation: SUM {coeff} }}")


def arithmetic(net: Importer, op: Op) -> None:
    """Add, Sub, Mul, Div: with a number Power, with a vector along some axes Bias or Scale, of two alike Eltwise."""
    a, b = op.inputs
    legacy, axis, has_axis = op.get_int("broadcast"), op.get_int("axis"), op.has("axis")
    if a in net.fills and b not in net.fills and a not in net.shapes:
        if op.type in ("Sub", "Div"):
            turned = net.inner(op, "turned")
            params = "scale: -1" if op.type == "Sub" else "power: -1"
            net.add(op, "Power", [net.blob(op, b)], [turned], f"power_param {{ {params} }}", name=f"{op.name}/turned")
            b = turned
        a, b = b, a
        kind = {"Sub": "Add", "Div": "Mul"}.get(op.type, op.type)
        second: Array = net.fills[b]
    elif b in net.fills and b not in net.shapes:
        kind = {"Sub": "Add", "Div": "Mul"}.get(op.type, op.type)
        second = net.fills[b]
        second = -second if op.type == "Sub" else 1 / second if op.type == "Div" else second
    else:
        _of_two(net, op, net.blob(op, a), net.blob(op, b), legacy, axis if has_axis else None)
        return
    x = net.blob(op, a)
    if second.size == 1 and len(net.shape(x)) >= second.ndim:
        word = "shift" if kind == "Add" else "scale"
        net.add(op, "Power", [x], op.outputs[:1], f"power_param {{ {word}: {number(float(second.reshape(-1)[0]))} }}")
        return
    first, span = _span(op, net.shape(x), second.shape, legacy, axis if has_axis else None)
    blob = np.asarray(second, np.float32).reshape(span)
    message = "bias_param" if kind == "Add" else "scale_param"
    params = f"{message} {{ axis: {first} num_axes: {len(span)} }}"
    net.add(op, "Bias" if kind == "Add" else "Scale", [x], op.outputs[:1], params, [blob])


def _of_two(net: Importer, op: Op, a: str, b: str, legacy: int, axis: int | None) -> None:
    if op.type == "Div":
        turned = net.inner(op, "turned")
        net.add(op, "Power", [b], [turned], "power_param { power: -1 }", name=f"{op.name}/turned")
        b = turned
    if net.shape(a) == net.shape(b):
        kinds = {"Add": "operation: SUM", "Sub": "operation: SUM coeff: 1 coeff: -1"}
        net.add(op, "Eltwise", [a, b], op.outputs[:1], f"eltwise_param {{ {kinds.get(op.type, 'operation: PROD')} }}")
        return
    if not legacy and op.type != "Sub" and np.prod(net.shape(a)) < np.prod(net.shape(b)):
        a, b = b, a
    if op.type == "Sub":
        turned = net.inner(op, "turned")
        net.add(op, "Power", [b], [turned], "power_param { scale: -1 }", name=f"{op.name}/turned")
        b = turned
    first, span = _span(op, net.shape(a), net.shape(b), legacy, axis)
    if span != net.shape(b):
        shaped = net.inner(op, "shaped")
        dims = " ".join(f"dim: {0 if i < 1 and net.shape(b)[:1] == span[:1] else n}" for i, n in enumerate(span))
        net.add(op, "Reshape", [b], [shaped], f"reshape_param {{ shape {{ {dims} }} }}", name=f"{op.name}/shaped")
        b = shaped
    kind, message = ("Bias", "bias_param") if op.type in ("Add", "Sub") else ("Scale", "scale_param")
    net.add(op, kind, [a, b], op.outputs[:1], f"{message} {{ axis: {first} }}")


def _span(op: Op, x: Sequence[int], b: Sequence[int], legacy: int, axis: int | None) -> tuple[int, tuple[int, ...]]:
    """The first axis of x along which b lies, and its sizes there. Raises: UnsupportedError if it does not lie along axes of x."""
    start = axis if legacy and axis is not None and axis >= 0 else len(x) - len(b)
    start = min(start, len(x))  # what begins behind the last axis does not fit
    sizes = [1] * start + list(b) + [1] * (len(x) - start - len(b))
    along = [i for i, n in enumerate(sizes) if n != 1]
    if start < 0 or len(sizes) != len(x):
        raise op.refuse(f"shapes {tuple(x)} and {tuple(b)}", expected="the second along axes of the first")
    first, last = (along[0], along[-1] + 1) if along else (0, 1)
    if any(sizes[i] != x[i] for i in range(first, last)):
        raise op.refuse(f"shapes {tuple(x)} and {tuple(b)}", expected="the second along axes of the first")
    return first, tuple(sizes[first:last])


def raise_to(net: Importer, op: Op) -> None:
    power = op.get_float("exponent") if op.has("exponent") else float(net.parameter(op, 1).reshape(()))
    net.become(op, "Power", f"power_param {{ power: {number(power)} }}")


def scale(net: Importer, op: Op) -> None:
    net.become(op, "Power", f"power_param {{ scale: {number(op.get_float('scale', 1.0))} }}")


def reduce(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    rank = len(net.shape(x))
    if op.type.startswith("ReduceBack"):
        count = op.get_int("num_reduce_dim", 1)
        if not 1 <= count <= rank:
            raise op.refuse(f"over {count} axes of {rank}", expected=f"1 to {rank} axes")
        axes, keep = list(range(rank - count, rank)), 0
    else:
        axes, keep = sorted(a % rank for a in op.get_ints("axes") or range(rank)), op.get_int("keepdims", 1)
    if axes != list(range(rank - len(axes), rank)):
        raise op.refuse(f"over axes {axes} of {rank}", expected="the last axes")
    operation = {"ReduceMean": "MEAN", "ReduceBackMean": "MEAN", "ReduceL1": "ASUM"}.get(op.type, "SUM")
    inner = net.inner(op, "reduced") if keep else op.outputs[0]
    net.add(op, "Reduction", [x], [inner], f"reduction_param {{ operation: {operation} axis: {rank - len(axes)} }}")
    if keep:
        net.add(op, "Reshape", [inner], op.outputs[:1], insert(rank - len(axes), len(axes)), name=f"{op.name}/shape")
