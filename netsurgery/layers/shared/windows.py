"""Windows that slide over the axes behind the channels: their parameters and sizes, for Convolution, Deconvolution, Im2col."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...errors import Placed
from ..core import Field, Op, Params, Reach, ShapeError, Size, Tensor, window
from .spellings import DILATION, KERNEL, PAD, STRIDE, least_axes, read_axes


@dataclass(frozen=True)
class Windows:
    """Kernel size, stride, padding and dilation of each spatial axis. `tail`: zeros behind the padding, where it ends too soon."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    tail: tuple[int, ...] = ()

    @property
    def ends(self) -> tuple[int, ...]:
        """The padding behind each axis."""
        return tuple(p + t for p, t in zip(self.pad, self.tail, strict=True)) if self.tail else self.pad

    @property
    def extent(self) -> tuple[int, ...]:
        """The span of a kernel in its input: dilation * (kernel - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def attributes(self) -> dict[str, tuple[int, ...]]:
        """Of the ONNX operators Conv and ConvTranspose."""
        pads = (*self.pad, *self.ends)
        return {"kernel_shape": self.kernel, "strides": self.stride, "pads": pads, "dilations": self.dilation}

    @property
    def reach(self) -> list[Reach]:
        """What a position of the output sees along each axis."""
        return [window(*axis) for axis in zip(self.extent, self.stride, self.pad, self.dilation, strict=True)]

    def out(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """Output sizes of a convolution: (size + 2 pad - extent) / stride + 1, rounded towards zero, as C divides: where the kernel reaches
        past the padding by less than a stride there is one position."""
        axes = zip(sizes, self.extent, self.stride, self.pad, strict=True)
        return tuple(
            1 if isinstance(n, int) and -s < n + 2 * p - e < 0 else (n + 2 * p - e) // s + 1 for n, e, s, p in axes
        )

    def over(self, sizes: Sequence[Size]) -> Windows:
        """These windows on a bottom of those sizes, with what the kernel meets past the padding: zeros."""
        axes = zip(sizes, self.extent, self.pad, strict=True)
        tail = tuple(max(0, e - n - 2 * p) if isinstance(n, int) else 0 for n, e, p in axes)
        return replace(self, tail=tail) if any(tail) else self


def emit_conv(op: Op, x: Tensor, w: Tensor, bias: Tensor | None, at: Windows, group: int) -> Tensor:
    """Conv; where a kernel of one place is padded, with Pad before it: OpenCV 5 reads beside the image then."""
    over = at.over(x.shape[2:])
    if max(at.kernel) == 1 and any(over.ends) and not op.plain:
        x = op("Pad", x, op.ints(0, 0, over.pad, 0, 0, over.ends))
        over = Windows(at.kernel, at.stride, (0,) * len(at.pad), at.dilation)
    return op("Conv", x, w, bias, **over.attributes, group=group)


def read_windows(p: Params, spatial: int) -> Windows:
    """kernel_size, stride, pad and dilation as Caffe's base convolution reads them, in any of the forks' spellings.

    Source: base_conv_layer.cpp, LayerSetUp
    """
    return Windows(*(read_axes(p, spelling, spatial) for spelling in (KERNEL, STRIDE, PAD, DILATION)))


def read_video_windows(q: Params, pad_before: int) -> Windows:
    """Those of C3D, over time, rows and columns: time has fields of its own, rows and columns share theirs."""
    k, depth = q.get_positive("kernel_size", 0), q.get_positive("kernel_depth", 0)
    s, step = q.get_positive("stride", 1), q.get_positive("temporal_stride", 1)
    pad = q.get_int("pad", 0)
    return Windows((depth, k, k), (step, s, s), (pad_before, pad, pad), (1, 1, 1))


def require_second(p: Params, rank: int | None = None) -> None:
    """Raises: UnsupportedError unless `axis`, of the channels, is the second of `rank` axes (None: not known yet)."""
    axis = p.get_int("axis")
    if axis != 1 and (axis > -2 if rank is None else axis + rank != 1):
        raise p.refuse("axis", f"axis is {axis}{f' of {rank} axes' if rank is not None else ''}", expected="1")


def require_room(layer: Placed, windows: Windows, sizes: Sequence[Size]) -> None:
    """Raises: ShapeError if the kernel reaches past the padded input by a stride or more: there is no position for it."""
    for n, e, p, s in zip(sizes, windows.extent, windows.pad, windows.stride, strict=True):
        if isinstance(n, int) and n + 2 * p - e <= -s:
            raise ShapeError(
                f"the kernel spans {e}, the padded bottom {n + 2 * p}", layer=layer, expected="a kernel that fits"
            )


__all__ = ["Windows", "emit_conv", "least_axes", "read_windows", "require_room", "require_second"]


def kernel_fields(sizes: Sequence[int]) -> list[Field]:
    """The fields that say how large a kernel is."""
    if len(sizes) == 2 and sizes[0] != sizes[1]:
        return [Field("kernel_h", sizes[0]), Field("kernel_w", sizes[1])]
    return [Field("kernel_size", n) for n in (sizes[:1] if len(set(sizes)) == 1 else sizes)]
