"""Windows of poolings: how many there are, which depends on how a size is rounded and on which last windows are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core import Field, Message, Params, Size, ceil_div, minimum
from .spellings import DILATION, KERNEL, PAD, STRIDE, has_length, read_axes
from .windows import Windows, kernel_fields


@dataclass(frozen=True)
class PoolWindows:
    """`at` says where windows are; `round_up` whether one more holds what remains; `drops`, for each axis, whether a last window that
    would start outside the image and its padding in front is left out."""

    at: Windows
    round_up: bool
    drops: tuple[bool, ...]

    def out(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """How many windows there are along each axis."""
        at = self.at
        return tuple(
            self._out(*axis) for axis in zip(sizes, at.extent, at.stride, at.pad, at.ends, self.drops, strict=True)
        )

    def _out(self, n: Size, extent: int, stride: int, pad: int, end: int, drops: bool) -> Size:
        span = n + pad + end - extent
        out = (ceil_div(span, stride) if self.round_up else span // stride) + 1
        return minimum(out, ceil_div(n + pad, stride)) if drops else out


def read_rounding(q: Params) -> bool:
    """Whether a size is rounded up: always in BVLC's; `ceil_mode` is NVIDIA's and other forks' way to say it, `round_mode` BVLC's."""
    ceil = q.get_bool("ceil_mode") if q.has("ceil_mode") else True
    return q.get_str("round_mode") == "CEIL" if q.has("round_mode") else ceil


def whole_map(sizes: tuple[int, ...]) -> Windows:
    """The one window that holds a map of these sizes."""
    ones = (1,) * len(sizes)
    return Windows(sizes, ones, (0,) * len(sizes), ones)


def read_pool_windows(q: Params, spatial: int, *, each: bool) -> Windows:
    """Kernel, stride, padding and dilation of a pooling. With `each`, in any of the forks' spellings; else as BVLC reads them, who lets
    stride_h without stride_w mean a stride_w of 1."""
    if each or has_length(q):
        return Windows(*(read_axes(q, spelling, spatial) for spelling in (KERNEL, STRIDE, PAD, DILATION)))
    sides = q.get_int("kernel_h", 0), q.get_int("kernel_w", 0)
    kernel = read_axes(q, KERNEL, 2) if _one_word(q) else sides
    dilation = read_axes(q, DILATION, 2)
    return Windows(kernel, _pair(q, "stride", 1), _pair(q, "pad", 0), dilation)


def check_global(q: Params) -> None:
    """Raises: UnsupportedError where global_pooling is set beside a size, a stride or padding."""
    if any(q.has(name) for name in ("kernel_size", "kernel_h", "kernel_w", "kernel_l")):
        raise q.refuse("kernel_size", "global_pooling with a kernel size", expected="one of the two")
    q.ignore("kernel_shape", why="video-caffe asks for it, and then takes the whole map")
    steps = [*q.get_ints("stride"), q.get_int("stride_h", 1), q.get_int("stride_w", 1), q.get_int("stride_l", 1)]
    pads = [*q.get_ints("pad"), q.get_int("pad_h", 0), q.get_int("pad_w", 0), q.get_int("pad_l", 0)]
    if {*steps} != {1} or any(pads):
        raise q.refuse("pad", "global_pooling with pad or stride", expected="pad 0 and stride 1")


def with_kernel(params: Message, message: str, sizes: Sequence[int]) -> Message:
    """A pooling's parameters with a kernel of these sizes and stride 1 in place of what they say of its windows."""
    old = params.last(message, Message("PoolingParameter"))
    gone = ("kernel_", "stride", "pad", "global_pooling")
    others = [f for f in old.fields if not f.name.startswith(gone)]
    new = replace(old, fields=(*others, *kernel_fields(sizes), Field("stride", 1)), text="")
    return params.with_fields(Field(message, new))


def _one_word(q: Params) -> bool:
    return any(q.has(name) for name in ("kernel_size", "kernel_shape", "kernel_size_3d"))


def _pair(q: Params, name: str, default: int) -> tuple[int, ...]:
    if q.has(f"{name}_h") or q.has(f"{name}_w"):
        return q.get_int(f"{name}_h", default), q.get_int(f"{name}_w", default)
    return read_axes(q, STRIDE if name == "stride" else PAD, 2)
