"""Windows of Caffe2's operators, and its pooling as Caffe's.

Caffe2 counts windows by rounding down, over padding that may differ before and behind; Caffe rounds up, or down if told. legacy_pad 3
stands for Caffe's own way. Caffe's AVE counts padding, Caffe2's does not unless told (count_include_pad).
"""

from __future__ import annotations

from collections.abc import Sequence

from .reader import Importer, Op

PADDING = "PadImage"
VALID, SAME, CAFFE = 1, 2, 3

Sizes = tuple[int, ...]


def windows(op: Op, rank: int) -> tuple[Sizes, Sizes, Sizes]:
    """Kernel, stride and dilation of each axis."""
    return _each(op, "kernel", rank, 0), _each(op, "stride", rank, 1), _each(op, "dilation", rank, 1)


def _each(op: Op, name: str, rank: int, default: int) -> Sizes:
    if op.has(f"{name}s"):
        return op.get_ints(f"{name}s")
    if op.has(f"{name}_h") or op.has(f"{name}_w"):
        return op.get_int(f"{name}_h", default), op.get_int(f"{name}_w", default)
    return (op.get_int(name, default),) * rank


def sides(
    op: Op, rank: int, sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[Sizes, Sizes]:
    """The padding before and behind each axis."""
    if op.get_str("order", "NCHW") != "NCHW":
        raise op.refuse(f"order {op.get_str('order')}", expected="NCHW", fix="NHWC nets must be transposed first")
    legacy = op.get_int("legacy_pad")
    if legacy == VALID:
        return (0,) * rank, (0,) * rank
    if legacy == SAME:
        spans = zip(sizes, kernel, stride, dilation, strict=True)
        total = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in spans]
        return tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)
    if op.has("pads"):
        pads = op.get_ints("pads")
        return pads[: len(pads) // 2], pads[len(pads) // 2 :]
    named = [op.has(f"pad_{side}") for side in "tlbr"]
    if any(named):
        t, left, b, r = (op.get_int(f"pad_{side}") for side in "tlbr")
        return (t, left), (b, r)
    return (op.get_int("pad"),) * rank, (op.get_int("pad"),) * rank


def pooling(net: Importer, op: Op) -> None:
    """MaxPool and AveragePool."""
    average = op.type.startswith("Average")
    x, around = net.pending.get(op.inputs[0], (op.inputs[0], ()))
    x = net.blob(op, x)
    sizes = net.shape(x)[2:]
    rank = len(sizes)
    method = f"pool: {'AVE' if average else 'MAX'}"
    if op.get_int("global_pooling"):
        for name in (
            "kernel",
            "stride",
            "pad",
            "legacy_pad",
        ):  # of caffe_translator's nets: the whole image has no rest
            op.has(name)
        if around:
            raise op.refuse("the average of a padded image")
        if rank != 2:
            raise op.refuse(f"over {rank} axes", expected="2: Caffe's global pooling is of images")
        net.add(op, "Pooling", [x], op.outputs[:1], f"pooling_param {{ {method} global_pooling: true }}")
        return
    kernel, stride, dilation = windows(op, rank)
    before, behind = sides(op, rank, sizes, kernel, stride, dilation)
    if max(dilation) > 1:
        raise op.refuse("dilation", expected="1")
    legacy = op.get_int("legacy_pad") == CAFFE
    counted = average and bool(op.get_int("count_include_pad"))
    if around and any(before):
        raise op.refuse("an average over an image that was padded twice")
    if average and any(before) and not counted:
        if rank != 2:
            raise op.refuse(
                f"an average over {rank} axes that divides by the numbers inside of the image alone",
                expected="no padding, or count_include_pad",
            )
        method = "pool: AVE_EXC_PAD"
    pad = around or before
    if legacy:
        up = True
    else:
        grown = [n + 2 * p if around else n for n, p in zip(sizes, pad, strict=True)]
        spans = zip(grown, before, behind, kernel, stride, strict=True)
        counts = [(n + a + b - k) // s + 1 for n, a, b, k, s in spans]
        up = _rounds_up(net, op, sizes, pad, kernel, stride, behind, counts, bool(around))
        if counted and (up or before != behind):
            raise op.refuse(
                "an average that counts more padding behind the image than before it", expected="the same padding"
            )
    if rank == 3:
        _pooling3d(net, op, x, method, kernel, stride, pad, up)
        return
    if rank != 2:
        raise op.refuse(f"over {rank} axes", expected="2 or 3")
    fields = [method, *_two("kernel", kernel, "kernel_size"), *_two("stride", stride), *_two("pad", pad)]
    fields += ["round_mode: FLOOR"] * (not up and max(stride) > 1)  # at stride 1 both ways are one
    net.add(op, "Pooling", [x], op.outputs[:1], f"pooling_param {{ {' '.join(fields)} }}")


def _two(name: str, values: Sizes, both: str = "") -> list[str]:
    if values[0] == values[1]:
        return [f"{both or name}: {values[0]}"]
    return [f"{name}_h: {values[0]}", f"{name}_w: {values[1]}"]


def _rounds_up(
    net: Importer,
    op: Op,
    sizes: Sequence[int],
    pad: Sizes,
    kernel: Sizes,
    stride: Sizes,
    behind: Sizes,
    counts: Sequence[int],
    padded: bool,
) -> bool:
    """Whether Caffe must round up to have as many windows, by its own count. Raises: UnsupportedError if neither way has."""
    usual = (0,) * len(pad) if padded else pad  # what stands behind without rounding up
    fits = [
        [_count(n, p, k, s, up, any(pad)) for n, p, k, s in zip(sizes, pad, kernel, stride, strict=True)]
        == list(counts)
        for up in (False, True)
    ]
    for up in (False, True):  # at every size
        if fits[up] and list(behind) == [u + (s - 1) * up for u, s in zip(usual, stride, strict=True)]:
            return up
    if not any(fits):
        raise op.refuse(f"{counts} windows", expected="as many as Caffe has, rounding up or down")
    shown = "x".join(map(str, sizes))
    net.notes.append(f"operator {op.title} is written for maps of {shown}; at others Caffe's way to round may differ")
    return not fits[0]


def _count(n: int, p: int, k: int, s: int, up: bool, drops: bool) -> int:
    """How many windows Caffe has. Source: pooling_layer.cpp"""
    span = n + 2 * p - k
    count = (-(-span // s) if up else span // s) + 1
    return count - 1 if drops and (count - 1) * s >= n + p else count


def _pooling3d(net: Importer, op: Op, x: str, method: str, kernel: Sizes, stride: Sizes, pad: Sizes, up: bool) -> None:
    exact = all((n + 2 * p - k) % s == 0 for n, p, k, s in zip(net.shape(x)[2:], pad, kernel, stride, strict=True))
    alike = kernel[1] == kernel[2] and stride[1] == stride[2] and pad[1] == pad[2] and pad[0] == 0
    if not alike or not (up or exact) or any(pad):
        parts = (("kernel_size", kernel), ("stride", stride), ("pad", pad))
        sides = [f"{name}: {value}" for name, values in parts for value in values]
        sides += ["round_mode: FLOOR"] * (not up and max(stride) > 1)
        net.add(op, "PoolingND", [x], op.outputs[:1], f"pooling_nd_param {{ {method} {' '.join(sides)} }}")
        return
    depth = f"kernel_depth: {kernel[0]} temporal_stride: {stride[0]}"
    fields = f"{method} kernel_size: {kernel[1]} stride: {stride[1]} pad: {pad[1]} {depth}"
    net.add(op, "Pooling3D", [x], op.outputs[:1], f"pooling3d_param {{ {fields} }}")
