"""Windows that slide over the axes behind the channels: their parameters and sizes, for Convolution, Deconvolution, Im2col."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import ShapeError
from ..core.dims import Size
from ..core.params import Params


@dataclass(frozen=True)
class Windows:
    """Kernel size, stride, padding and dilation of each spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def extent(self) -> tuple[int, ...]:
        """The span of a kernel in its input: dilation * (kernel - 1) + 1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def attributes(self) -> dict[str, tuple[int, ...]]:
        """Of the ONNX operators Conv and ConvTranspose."""
        pads = (*self.pad, *self.pad)
        return {"kernel_shape": self.kernel, "strides": self.stride, "pads": pads, "dilations": self.dilation}

    def out(self, sizes: Sequence[Size]) -> tuple[Size, ...]:
        """Output sizes of a convolution: floor((size + 2 pad - extent) / stride) + 1."""
        axes = zip(sizes, self.extent, self.stride, self.pad, strict=True)
        return tuple((n + 2 * p - e) // s + 1 for n, e, s, p in axes)


def read_windows(p: Params, spatial: int) -> Windows:
    """kernel_size, stride, pad and dilation as Caffe's base convolution reads them: once for all axes, once each, or as _h and _w.

    Source: base_conv_layer.cpp, LayerSetUp
    """
    dilation = p.get_ints("dilation")
    if p.has("dilation_h") or p.has("dilation_w"):  # spelt so in some forks
        dilation = (p.get_int("dilation_h", 1), p.get_int("dilation_w", 1))
    return Windows(
        _pair(p, "kernel_size", "kernel", None, spatial),
        _pair(p, "stride", "stride", 1, spatial),
        _pair(p, "pad", "pad", 0, spatial, least=0),
        _each(p, "dilation", dilation, 1, spatial, least=1),
    )


def least_axes(p: Params) -> int:
    """How many spatial axes the fields speak of: two with _h and _w, else as many as one has values; one value is for any number."""
    if any(p.has(f"{stem}_{side}") for stem in ("kernel", "stride", "pad", "dilation") for side in "hw"):
        return 2
    return max(1, *(len(p.get_ints(name)) for name in ("kernel_size", "stride", "pad", "dilation")))


def require_second(p: Params, rank: int | None = None) -> None:
    """Raises: UnsupportedError unless `axis`, of the channels, is the second of `rank` axes (None: not known yet)."""
    axis = p.get_int("axis")
    if axis != 1 and (axis > -2 if rank is None else axis + rank != 1):
        raise p.refuse("axis", f"axis is {axis}{f' of {rank} axes' if rank is not None else ''}", expected="1")


def _pair(p: Params, name: str, stem: str, default: int | None, spatial: int, least: int = 1) -> tuple[int, ...]:
    h, w = f"{stem}_h", f"{stem}_w"
    if p.has(h) or p.has(w):
        if spatial != 2:
            raise p.refuse(h, f"{h} and {w} with {spatial} spatial axes", expected=name)
        if p.has(name):
            raise p.refuse(name, f"both {name} and {h} or {w} are set", expected="one of the two")
        return _each(p, name, (p.get_int(h, default or 0), p.get_int(w, default or 0)), default, spatial, least)
    return _each(p, name, p.get_ints(name), default, spatial, least)


def _each(
    p: Params, name: str, values: Sequence[int], default: int | None, spatial: int, least: int
) -> tuple[int, ...]:
    if not values and default is not None:
        values = (default,)
    if len(values) not in (1, spatial):
        raise p.refuse(name, f"{len(values)} values of {name}", expected=f"1, or {spatial}: one for each spatial axis")
    if any(v < least for v in values):
        raise p.refuse(name, f"{name} is {', '.join(map(str, values))}", expected=f"at least {least}")
    return tuple(values) * (spatial if len(values) == 1 else 1)


def require_room(title: str, windows: Windows, sizes: Sequence[Size]) -> None:
    """Raises: ShapeError if the kernel does not fit into the padded input."""
    for n, e, p in zip(sizes, windows.extent, windows.pad, strict=True):
        if isinstance(n, int) and n + 2 * p < e:
            raise ShapeError(
                f"the kernel spans {e}, the padded bottom {n + 2 * p}", layer=title, expected="a kernel that fits"
            )
