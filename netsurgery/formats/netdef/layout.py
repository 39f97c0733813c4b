"""Operators of Caffe2 that only move numbers, as layers of Caffe's."""

from __future__ import annotations

import numpy as np

from .reader import Importer, Op, insert


def concat(net: Importer, op: Op) -> None:
    bottoms = [net.blob(op, name) for name in op.inputs]
    rank = len(net.shape(bottoms[0]))
    axis = op.get_int("axis", 1) if op.has("axis") or op.get_str("order", "NCHW") != "NHWC" else -1
    if op.get_int("add_axis"):
        axis %= rank + 1
        for i, bottom in enumerate(bottoms):
            bottoms[i] = net.inner(op, f"{i}")
            net.add(op, "Reshape", [bottom], [bottoms[i]], insert(axis), name=f"{op.name}/{i}")
    if len(bottoms) == 1:
        net.add(op, "Split", bottoms, op.outputs[:1])
    else:
        net.add(op, "Concat", bottoms, op.outputs[:1], f"concat_param {{ axis: {axis} }}")


def split(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    axis = op.get_int("axis", 1) if op.has("axis") or op.get_str("order", "NCHW") != "NHWC" else -1
    parts = list(op.get_ints("split")) or [int(n) for n in (net.parameter(op, 1) if len(op.inputs) > 1 else ())]
    if len(op.outputs) == 1:
        net.add(op, "Split", [x], op.outputs)
        return
    points = " ".join(f"slice_point: {n}" for n in np.cumsum(parts)[:-1]) if len(set(parts)) > 1 else ""
    net.add(op, "Slice", [x], op.outputs, f"slice_param {{ axis: {axis} {points} }}")


def cut(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    shape = net.shape(x)
    starts, ends = (
        [int(n) for n in net.parameter(op, i)] if len(op.inputs) > i else list(op.get_ints(name))
        for i, name in ((1, "starts"), (2, "ends"))
    )
    spans = [
        (a + n + 1 if a < 0 else a, b + n + 1 if b < 0 else b) for a, b, n in zip(starts, ends, shape, strict=True)
    ]
    cut = [i for i, (span, n) in enumerate(zip(spans, shape, strict=True)) if span != (0, n)]
    if not cut:
        net.add(op, "Split", [x], op.outputs)
        return
    if len(cut) > 1:
        raise op.refuse(f"it cuts {len(cut)} axes", expected="one, as Caffe2 itself wants it")
    (axis,) = cut
    start, end = spans[axis]
    rest = [net.inner(op, "before")] * (start > 0), [net.inner(op, "behind")] * (end < shape[axis])
    points = " ".join(f"slice_point: {n}" for n in (start, end) if 0 < n < shape[axis])
    net.add(op, "Slice", [x], [*rest[0], op.outputs[0], *rest[1]], f"slice_param {{ axis: {axis} {points} }}")
    if start and ends[axis] < -1:
        net.notes.append(f"operator {op.title} cuts from the end: at {shape[axis]} entries")


def reshape(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    dims = [int(n) for n in net.parameter(op, 1)] if len(op.inputs) > 1 else list(op.get_ints("shape"))
    net.add(
        op, "Reshape", [x], op.outputs[:1], f"reshape_param {{ shape {{ {' '.join(f'dim: {n}' for n in dims)} }} }}"
    )


def flatten(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    axis = op.get_int("axis", 1)
    if axis == 1:
        net.add(op, "Flatten", [x], op.outputs[:1])
    elif axis == 0:
        net.add(op, "Reshape", [x], op.outputs[:1], "reshape_param { shape { dim: 1 dim: -1 } }")
    else:
        rows, columns = net.inner(op, "columns"), op.outputs[0]
        net.add(op, "Flatten", [x], [rows], f"flatten_param {{ axis: {axis} }}", name=f"{op.name}/columns")
        net.add(op, "Flatten", [rows], [columns], f"flatten_param {{ axis: 0 end_axis: {axis - 1} }}")


def to_vector(net: Importer, op: Op) -> None:
    net.become(op, "Reshape", "reshape_param { shape { dim: -1 } }")


def transpose(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    rank = len(net.shape(x))
    turned = {"NCHW2NHWC": (0, *range(2, rank), 1), "NHWC2NCHW": (0, rank - 1, *range(1, rank - 1))}
    order = turned.get(op.type) or op.get_ints("axes") or tuple(range(rank))[::-1]
    net.add(op, "Permute", [x], op.outputs[:1], f"permute_param {{ {' '.join(f'order: {i}' for i in order)} }}")


def resize_nearest(net: Importer, op: Op) -> None:
    default = op.get_float("scale", 1.0)
    h, w = op.get_float("height_scale", default), op.get_float("width_scale", default)
    if len(op.inputs) > 1:
        h, w = (float(n) for n in net.parameter(op, 1))
    if h != w or h != int(h) or h < 1:
        raise op.refuse(f"scales {h:g} and {w:g}", expected="one whole number for height and width")
    net.become(op, "Upsample", f"upsample_param {{ scale: {int(h)} }}")


def resize_bilinear(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    scales = [op.get_float("height_scale", 1.0), op.get_float("width_scale", 1.0)]
    if len(op.inputs) > 1:
        scales = [float(n) for n in net.parameter(op, 1)]
    h, w = (int(np.float32(n) * np.float32(s)) for n, s in zip(net.shape(x)[2:], scales, strict=True))
    net.add(op, "Interp", [x], op.outputs[:1], f"interp_param {{ height: {h} width: {w} }}")
    net.notes.append(f"operator {op.title} makes maps {h}x{w}: other inputs are resized to that, too")


def tile(net: Importer, op: Op) -> None:
    params = f"tile_param {{ tiles: {op.get_int('tiles', 1)} axis: {op.get_int('axis')} }}"
    net.become(op, "Tile", params)


def expand_dims(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    dims = sorted(op.get_ints("dims"))
    for i, axis in enumerate(dims):
        y = op.outputs[0] if i == len(dims) - 1 else net.inner(op, str(i))
        net.add(op, "Reshape", [x], [y], insert(axis), name=f"{op.name}/{i}" if i else "")
        x = y


def squeeze(net: Importer, op: Op) -> None:
    x, left = net.blob(op, op.inputs[0]), sorted(op.get_ints("dims"), reverse=True)
    for i, axis in enumerate(left):
        if net.shape(x)[axis] != 1:
            raise op.refuse(f"axis {axis} has {net.shape(x)[axis]} entries", expected="1")
        y = op.outputs[0] if i == len(left) - 1 else net.inner(op, str(i))
        net.add(
            op,
            "Reshape",
            [x],
            [y],
            f"reshape_param {{ axis: {axis} num_axes: 1 shape {{ }} }}",
            name=f"{op.name}/{i}" if i else "",
        )
        x = y


def shuffle(net: Importer, op: Op) -> None:
    if op.get_int("kernel", 1) != 1:
        raise op.refuse(f"kernel {op.get_int('kernel')}", expected="1")
    params = f"shuffle_channel_param {{ group: {op.get_int('group', 1)} }}"
    net.become(op, "ShuffleChannel", params)
