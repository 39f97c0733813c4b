"""Where blobs look: stride, receptive field and offset of a blob's positions, in pixels of the input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from .errors import NetsurgeryError, ShapeError
from .layers.core.dims import Size
from .layers.core.reach import NOWHERE, SAME, Number, Reach
from .limits import show_shape
from .net import Layer, Net, require_net

Reaches = tuple[Reach, ...]
"""What a blob's positions see of an input: one Reach for each of the input's axes behind the channels."""

SEARCH = 256
"""How many pixels around where it should be an input size is searched for, at least; eight strides if that is more."""


@dataclass(frozen=True)
class Geometry:
    """How the positions of `blob` lie over the pixels of `input`; one number for each spatial axis (h, w).

    Position i sees the pixels i * stride + offset .. i * stride + offset + receptive_field - 1, of which those outside the image are
    padding. Behind a Deconvolution the stride may be a Fraction and windows differ by a pixel: `receptive_field` is the largest,
    `offset` that of position 0, `window` is exact for each.

    `stride` is None where the blob has one answer for the whole image (InnerProduct, global pooling); `receptive_field` and `offset`
    are None where each position sees the whole image. `declared` is the input size that the file declares, `positions` how many
    positions the blob has then.
    """

    blob: str
    input: str
    declared: tuple[int, ...]
    positions: tuple[int, ...]
    stride: tuple[Number | None, ...]
    receptive_field: tuple[int | None, ...]
    offset: tuple[int | None, ...]
    reaches: Reaches = field(repr=False)
    _net: Net = field(repr=False, compare=False)
    _counted: dict[tuple[int, int], int] = field(default_factory=dict, repr=False, compare=False)

    def output_size(self, *size: int) -> tuple[int, ...]:
        """How many positions the blob has on an image of this size (h, w).

        Raises: ShapeError where the image is too small, or of no size that the net takes."""
        shape = self._shapes(size)[self.blob]
        return _positions(shape, len(self.declared))

    def sizes(self, positions: int) -> tuple[range | None, ...]:
        """The input sizes around `size_for(positions)` that give so many positions, along each axis; None where no size does, or where
        there is no largest one."""
        return tuple(self._sizes(axis, positions) for axis in range(len(self.declared)))

    def size_for(self, positions: int) -> tuple[int | None, ...]:
        """The input size that gives so many positions: declared + stride * (positions - positions at the declared size), so that the
        windows of the declared size lie edge to edge with the image; if no size does, None."""
        size: list[int | None] = []
        for axis, sizes in enumerate(self.sizes(positions)):
            guess = self._guess(axis, positions)
            size.append(guess if sizes is not None and guess in sizes else sizes[0] if sizes else None)
        return tuple(size)

    def window(self, *position: int, size: Sequence[int] | None = None) -> tuple[range, ...]:
        """The pixels (rows, columns) that the blob at a position sees in an image of this size (None: declared): those in the image,
        without padding. Empty where it sees padding alone.

        Raises: ShapeError for a position that the blob does not have."""
        size = tuple(self.declared if size is None else size)
        shapes = self._shapes(size)
        count = _positions(shapes[self.blob], len(size))
        if len(position) != len(count) or any(not 0 <= i < n for i, n in zip(position, count, strict=False)):
            raise ShapeError(
                f"blob '{self.blob}' has no position {position} at input size {show_shape(size)}",
                expected=f"less than {count}",
            )
        return tuple(_walk(self._net, self.blob, self.input, axis, i, shapes) for axis, i in enumerate(position))

    def centre(self, *position: int) -> tuple[float | None, ...]:
        """The middle of what a position sees, padding included: pixel k has its middle at k, its edges at k - 0.5 and k + 0.5. None
        along an axis of which it sees everything."""
        return tuple(
            None
            if r.stride is None or r.first is None or r.last is None
            else float(r.stride * i + (r.first + r.last) / 2)
            for r, i in zip(self.reaches, position, strict=True)
        )

    def _guess(self, axis: int, positions: int) -> int:
        stride = self.stride[axis] or 0
        return self.declared[axis] + math.ceil(stride * (positions - self.positions[axis]))

    def _sizes(self, axis: int, positions: int) -> range | None:
        stride = self.stride[axis]
        if stride is None:
            return None
        limit = max(SEARCH, math.ceil(8 * stride))
        guess = self._guess(axis, positions)
        near = (size for d in range(limit) for size in {guess + d, guess - d} if size > 0)
        first = last = next((size for size in near if self._count(axis, size) == positions), 0)
        if not first:
            return None
        while first > 1 and self._count(axis, first - 1) == positions:
            first -= 1
        while self._count(axis, last + 1) == positions:
            last += 1
            if last > guess + limit:
                return None
        return range(first, last + 1)

    def _count(self, axis: int, size: int) -> int:
        """How many positions the blob has along an axis of this size; 0 if the size is too small."""
        axes = range(len(self.declared))
        if (axis, size) not in self._counted:
            try:  # all axes at once
                counts = self.output_size(*(size for _ in axes))
                self._counted.update({(a, size): n for a, n in zip(axes, counts, strict=True)})
            except ShapeError:
                self._counted[axis, size] = self._count_alone(axis, size)
        return self._counted[axis, size]

    def _count_alone(self, axis: int, size: int) -> int:
        try:
            return self.output_size(*(size if a == axis else n for a, n in enumerate(self.declared)))[axis]
        except ShapeError:
            return 0

    def _shapes(self, size: Sequence[int]) -> Mapping[str, tuple[Size, ...]]:
        if len(size) != len(self.declared):
            raise ShapeError(
                f"input size {show_shape(size)}",
                expected=f"{len(self.declared)} numbers, as {show_shape(self.declared)}",
            )
        shape = self._net.inputs[self.input]
        return self._net.shapes({self.input: (*(shape or ())[:2], *size)})


def geometry(net: Net, blob: str, input: str | None = None) -> Geometry:
    """Stride, receptive field and offset of a blob's positions in pixels of an input: exact, with padding, dilation, and every path
    between the two. `input` is needed where the blob sees several.

    Raises: NetsurgeryError if there is no such blob or input, if it sees no input that has pixels, or if paths of different stride
    meet on the way; ShapeError, UnsupportedLayersError.
    """
    require_net(net)
    net.writer(blob)
    net = net.with_layers(net.needed([blob]))
    shapes = net.shapes()
    seen = {
        name: axes
        for name in net.inputs
        if len(shapes[name]) > 2 and (axes := reaches(net, name, shapes)[blob]) is not None
    }
    if input is None and len(seen) == 1:
        (input,) = seen
    if input is None or input not in seen:
        raise NetsurgeryError(
            f"blob '{blob}' sees {', '.join(map(repr, seen)) or 'no input that has pixels'}"
            + (f", not '{input}'" if input is not None else ""),
            source=net.source,
            fix="say which input: --input, or input=... in Python" if seen else "",
        )
    axes = seen[input]
    if isinstance(axes, NetsurgeryError):
        raise axes
    size = _whole(shapes[input][2:])
    extents = [_extent(net, blob, input, axis, reach, shapes) for axis, reach in enumerate(axes)]
    return Geometry(
        blob=blob,
        input=input,
        declared=size,
        positions=_positions(shapes[blob], len(size)),
        stride=tuple(_plain(reach.stride) for reach in axes),
        receptive_field=tuple(n for n, _ in extents),
        offset=tuple(start for _, start in extents),
        reaches=axes,
        _net=net,
    )


def reaches(
    net: Net, input: str, shapes: Mapping[str, tuple[Size, ...]]
) -> dict[str, Reaches | NetsurgeryError | None]:
    """What the positions of every blob see of an input: None for blobs that do not see it, an error where strides disagree."""
    held: dict[str, Reaches | NetsurgeryError | None] = dict.fromkeys(net.blobs)
    held[input] = (SAME,) * (len(shapes[input]) - 2)
    for layer in net.layers:
        if layer.kind.is_input or (layer.bottoms and all(held[blob] is None for blob in layer.bottoms)):
            continue
        seen: Reaches | NetsurgeryError | None
        bottoms: list[Reaches | None] = []
        seen = None
        for blob in layer.bottoms:
            here = held[blob]
            if isinstance(here, NetsurgeryError):
                seen = here
            else:
                bottoms.append(here)
        if seen is None:
            try:
                seen = follow(layer, bottoms, [shapes[b] for b in layer.bottoms])
            except NetsurgeryError as error:
                seen = error
        held.update(dict.fromkeys(layer.tops, seen))
    return held


def follow(layer: Layer, bottoms: Sequence[Reaches | None], shapes: Sequence[tuple[Size, ...]]) -> Reaches | None:
    """What the tops of a layer see of an input, given what its bottoms see: the union of all paths.

    Raises: NetsurgeryError if paths of different stride meet.
    """
    paths: list[Reaches] = []
    for reach, bottom in zip(layer.kind.reach(shapes), bottoms, strict=True):
        if bottom is not None and reach is not None:
            steps = reach if len(reach) == len(bottom) else (NOWHERE,) * len(bottom)
            paths.append(tuple(top.of(below) for top, below in zip(steps, bottom, strict=True)))
    return tuple(_union(layer, axis) for axis in zip(*paths, strict=True)) if paths else None


def _union(layer: Layer, paths: Sequence[Reach]) -> Reach:
    strides = sorted({reach.stride for reach in paths if reach.stride is not None})
    if not strides:
        return NOWHERE
    if len(strides) > 1:
        raise NetsurgeryError(
            f"its bottoms have strides of {' and '.join(map(str, strides))} pixels",
            layer=layer,
            expected="one stride, so that equal positions look at equal places",
        )
    if any(reach.whole for reach in paths):
        return Reach(strides[0], None, None)
    return Reach(
        strides[0],
        min(reach.first for reach in paths if reach.first is not None),
        max(reach.last for reach in paths if reach.last is not None),
    )


def _extent(
    net: Net, blob: str, input: str, axis: int, reach: Reach, shapes: Mapping[str, tuple[Size, ...]]
) -> tuple[int | None, int | None]:
    """The largest window that a position sees, and where that of position 0 begins; padding included."""
    if reach.whole or reach.stride is None:
        return None, None
    period = _period(net, blob, axis, shapes)
    windows = [_walk(net, blob, input, axis, i, shapes, clip=False) for i in range(period)]
    return max(len(window) for window in windows), windows[0].start


def _period(net: Net, blob: str, axis: int, shapes: Mapping[str, tuple[Size, ...]]) -> int:
    """After how many positions the windows repeat: behind a Deconvolution of stride s, those of s positions in a row differ."""
    period = 1
    held: dict[str, Number] = {blob: 1}
    for layer in reversed(net.layers):
        stride = next((held[top] for top in layer.tops if top in held), None)
        if stride is None or layer.kind.is_input:
            continue
        for bottom, reach in zip(layer.bottoms, layer.kind.reach([shapes[b] for b in layer.bottoms]), strict=True):
            if reach and axis < len(reach) and (step := reach[axis].stride) is not None:
                held[bottom] = stride * step
                period = math.lcm(period, Fraction(held[bottom]).denominator)
    return period


def _walk(
    net: Net, blob: str, input: str, axis: int, position: int, shapes: Mapping[str, tuple[Size, ...]], clip: bool = True
) -> range:
    """What one position of a blob sees of an input along an axis, from the first pixel to the last: back through the layers, cut off at
    every blob's border if `clip`."""
    held: dict[str, set[int]] = {blob: {position}}
    for layer in reversed(net.layers):
        tops = [held[top] for top in layer.tops if top in held]
        if not tops or layer.kind.is_input:
            continue
        below = [shapes[b] for b in layer.bottoms]
        for bottom, shape, reach in zip(layer.bottoms, below, layer.kind.reach(below), strict=True):
            if reach is None:
                continue
            border = shape[2 + axis] if len(shape) > 2 + axis else 1
            if not isinstance(border, int):
                raise ShapeError(f"the size of blob '{bottom}' depends on the data", layer=layer)
            seen = (reach[axis] if axis < len(reach) else NOWHERE).seen(set().union(*tops))
            inside = range(border)
            held.setdefault(bottom, set()).update(
                inside if seen is None else (n for n in seen if n in inside) if clip else seen
            )
    positions = held.get(input)
    return range(min(positions), max(positions) + 1) if positions else range(0)


def _positions(shape: Sequence[Size], axes: int) -> tuple[int, ...]:
    return _whole(shape[2:]) if len(shape) == axes + 2 else (1,) * axes


def _whole(sizes: Sequence[Size]) -> tuple[int, ...]:
    return tuple(n if isinstance(n, int) else 0 for n in sizes)


def _plain(number: Number | None) -> Number | None:
    return int(number) if number is not None and Fraction(number).denominator == 1 else number
