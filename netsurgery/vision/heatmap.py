"""A map of what a classifier says of each part of an image, where it had one answer for the whole.

The net is made fully convolutional; the image goes through it at several sizes; each size's map is brought to the grid of the finest one,
every position staying where the middle of its receptive field is in the image; the maps are averaged.

Source: Khosla, Raju, Torralba, Oliva, Understanding and Predicting Image Memorability at a Large Scale (2015)
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..files.images import read_image
from ..formats.preprocessing import Preprocessing
from ..layers.core.dims import known, numbers, show
from ..net import Net
from ..passes.convolutionalize import convolutionalize
from ..passes.cut import cut
from ..receptive_field import geometry
from .images import ImageFile
from .labels import find_channel, name_of
from .model import image_input, input_shape, open_model
from .overlay import classes, overlay, sheet
from .picture import Picture, to_png
from .pipeline import Job, Sample
from .places import Axis, axis_of, sample_maps, smoothed
from .preprocess import preprocess
from .resize import Array, sample, shrink

WORDS = ("top", "all", "argmax")
"""Channels that are no number and no label."""

MOST_PIXELS = 1 << 26
MOST_BYTES = 1 << 30
SHOWN = 16
"""How many channels the overlay of all shows: those with the greatest values."""


@dataclass(frozen=True)
class Options:
    """How a heatmap is made: see `heatmap`."""

    scales: tuple[int, ...] | None = None
    channel: int | str = "top"
    reduce: str = "mean"
    smooth: float = 0.0
    size: str = "map"
    square: bool = False
    labels: tuple[str, ...] = ()
    colormap: str = "viridis"


@dataclass(frozen=True, eq=False, repr=False)
class Heatmap:
    """A map and what it was made of.

    `values` (h, w) is the map; (C, h, w) for all channels; for argmax it holds class numbers. Position (i, j) of `grid` = (first, stride)
    lies at pixel (first[0] + i stride[0], first[1] + j stride[1]) of the image. `maps` are those of the single scales, `inputs` their
    input sizes, `sides` the scales. `score` is what the original net says of the whole image, warped to its size: the channel's number;
    all of them for "all"; that of the best class for "argmax".
    """

    values: Array
    channel: int | str
    label: str
    score: float | Array
    best: int
    maps: tuple[Array, ...]
    sides: tuple[int, ...]
    inputs: tuple[tuple[int, int], ...]
    base: tuple[int, int]
    image_size: tuple[int, int]
    first: tuple[float, float]
    stride: tuple[float, float]
    labels: tuple[str, ...] = ()
    colormap: str = "viridis"
    image: NDArray[Any] | None = None
    """The image, where it was one alone."""

    def __repr__(self) -> str:
        low, high = self.range
        what = f"'{self.label}'" if self.label else f"channel {self.channel}"
        return f"<Heatmap of {what}: {_times(self.values.shape)}, {low:.3g} to {high:.3g}>"

    def _repr_html_(self) -> str:
        """The overlay, for notebooks."""
        image = np.full((*self.image_size, 3), 255, np.uint8) if self.image is None else self.image
        png = b64encode(to_png(self.overlay(image))).decode()
        return f'<img alt="{escape(repr(self), quote=True)}" src="data:image/png;base64,{png}">'

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value; NaN and infinity do not count."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    @property
    def peak(self) -> tuple[float, float]:
        """The pixel of the image (row, column) at which the greatest value lies; for several channels that of the greatest of all."""
        flat = np.nan_to_num(self.values, nan=-np.inf).max(axis=0) if self.values.ndim == 3 else self.values
        i, j = np.unravel_index(int(np.nan_to_num(flat, nan=-np.inf).argmax()), flat.shape)
        return self.first[0] + float(i) * self.stride[0], self.first[1] + float(j) * self.stride[1]

    def at(self, size: tuple[int, int]) -> Array:
        """The map over the whole image at another size: bilinear between positions, class numbers those of the nearest one.

        Shapes: (..., h, w) -> (..., *size)."""
        rows, columns = (
            ((np.arange(n) + 0.5) * (whole / n) - 0.5 - first) / stride
            for n, whole, first, stride in zip(size, self.image_size, self.first, self.stride, strict=True)
        )
        if self.channel == "argmax":
            rows, columns = np.floor(rows + 0.5), np.floor(columns + 0.5)
        return sample_maps(self.values, rows, columns)

    def overlay(self, image: NDArray[Any]) -> Picture:
        """The map over its image (H, W, 3), of whatever size the image now is."""
        size = image.shape[0], image.shape[1]
        if self.channel == "argmax":
            return classes(image, self.at(size), self.labels)
        if self.values.ndim == 2:
            low, high = self.range
            return overlay(image, self.at(size), low=low, high=high, colormap=self.colormap, title=self.label)
        order = np.argsort(-self.values.reshape(len(self.values), -1).max(axis=1), kind="stable")[:SHOWN]
        shown = replace(self, values=self.values[np.sort(order)])
        return sheet(image, shown.at(size), [name_of(self.labels, int(k)) for k in np.sort(order)], self.colormap)


@dataclass(frozen=True)
class HeatmapJob(Job[Heatmap]):
    """What is done with each image; see `heatmap`. Small, so that it can be sent to other machines."""

    blob: str
    channels: int
    axes: tuple[Axis, Axis]
    preprocessing: Preprocessing
    options: Options
    thumbnail: int | None = None
    """The longer side to which an image is brought for its overlay; None: it is kept."""

    def prepare(self, image: NDArray[Any]) -> Sample:
        height, width = image.shape[:2]
        sizes = self.input_sizes(height, width)
        base = self.axes[0].declared, self.axes[1].declared
        sizes_and_base = [size for _, size in sizes] + [base] * (base not in [size for _, size in sizes])
        inputs = [
            preprocess(image, self.channels, size, self.preprocessing, whole=True)[None] for size in sizes_and_base
        ]
        small = image
        if self.thumbnail and max(height, width) > self.thumbnail:
            share = self.thumbnail / max(height, width)
            small = shrink(image, (max(1, round(height * share)), max(1, round(width * share))))
        return Sample(inputs, _Prepared(small, (height, width), tuple(sizes), tuple(sizes_and_base)))

    def finish(self, image: ImageFile, sample: Sample) -> Heatmap:
        return self.combine(sample)

    def combine(self, sample: Sample) -> Heatmap:
        """The heatmap of the maps that the net gave."""
        done: _Prepared = sample.more
        scores = {size: blobs[0][0] for size, blobs in zip(done.inputs, sample.outputs, strict=True)}
        base = self.axes[0].declared, self.axes[1].declared
        whole = scores[base].reshape(len(scores[base]), -1).mean(axis=1)
        best = int(np.nan_to_num(whole, nan=-np.inf).argmax())
        channel, label = self.chosen(len(whole), best)
        kept = [scores[size] for _, size in done.sizes]
        if isinstance(channel, int):
            kept = [one[channel : channel + 1] for one in kept]
        finest = max(range(len(kept)), key=lambda i: (kept[i].shape[1] * kept[i].shape[2], -i))
        sizes = [size for _, size in done.sizes]
        merged, first, stride = self._merged(kept, sizes, finest, done.size)
        values = self._sized(merged, first, stride, done.size)
        if self.options.size == "image":
            first, stride = (0.0, 0.0), (1.0, 1.0)
        return Heatmap(
            values=values if values.ndim == 3 and channel == "all" else values[0],
            channel=channel,
            label=label,
            score=whole if channel == "all" else float(whole[channel if isinstance(channel, int) else best]),
            best=best,
            maps=tuple(kept if channel in ("all", "argmax") else [one[0] for one in kept]),
            sides=tuple(side for side, _ in done.sizes),
            inputs=tuple(sizes),
            base=base,
            image_size=done.size,
            first=first,
            stride=stride,
            labels=self.options.labels,
            colormap=self.options.colormap,
        )

    def input_sizes(self, height: int, width: int) -> list[tuple[int, tuple[int, int]]]:
        """(side, input size) for each scale on an image of this size. Raises: ShapeError if one is too small, or too large to run."""
        short, asked = int(height > width), self.options.scales
        sizes = (
            self._default_sizes(height, width) if asked is None else [self._sized_to(s, height, width) for s in asked]
        )
        for size in sizes:
            if any(n < axis.smallest for n, axis in zip(size, self.axes, strict=True)):
                raise too_small(self.blob, size[short], self._smallest(height, width))
            if size[0] * size[1] > MOST_PIXELS:
                raise ShapeError(
                    f"scale {size[short]} makes an image of {height}x{width} an input of {size[0]}x{size[1]}",
                    expected=f"at most {MOST_PIXELS >> 20} million pixels",
                    fix="--square, or smaller scales",
                )
        return [(size[short], size) for size in sizes]

    def _sized_to(self, side: int, height: int, width: int) -> tuple[int, int]:
        """The image's size with a short side of `side` pixels."""
        if self.options.square:
            return side, side
        return _filled(height, width, side, side)

    def _default_sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """The image's sizes around those for 1, 2, 4 and 8 positions."""
        pairs = [(a, b) for a, b in zip(self.axes[0].sides, self.axes[1].sides, strict=True) if a and b]
        pairs = pairs or [(self.axes[0].declared, self.axes[1].declared)]
        return pairs if self.options.square else [_filled(height, width, a, b) for a, b in pairs]

    def _smallest(self, height: int, width: int) -> int:
        """The least scale for such an image."""
        least = [axis.smallest for axis in self.axes]
        if self.options.square:
            return max(least)
        return max(-(-n * min(height, width) // whole) for n, whole in zip(least, (height, width), strict=True))

    def chosen(self, count: int, best: int) -> tuple[int | str, str]:
        """The channel that is shown, and what it is called."""
        channel, labels = self.options.channel, self.options.labels
        if channel in ("all", "argmax"):
            return channel, ""
        number = best if channel == "top" else int(channel)
        return number, name_of(labels, number) if count > 1 or labels else ""

    def _merged(
        self, maps: Sequence[Array], sizes: Sequence[tuple[int, int]], finest: int, image: tuple[int, int]
    ) -> tuple[Array, tuple[float, float], tuple[float, float]]:
        """The mean (or the maximum) of all maps on the grid of the finest, and how that lies on the image: its first position's pixel
        and its stride."""
        counts, size = maps[finest].shape[1:], sizes[finest]
        places = [axis.places(count, n) for axis, count, n in zip(self.axes, counts, size, strict=True)]
        total: Array | None = None
        for one, (h, w) in zip(maps, sizes, strict=True):
            rows = self.axes[0].positions(places[0], one.shape[1], h)
            columns = self.axes[1].positions(places[1], one.shape[2], w)
            here = one if one is maps[finest] else sample_maps(one, rows, columns)
            if total is None:
                total = here.astype(np.float32, copy=True)
            else:
                total = np.maximum(total, here) if self.options.reduce == "max" else total + here
        assert total is not None, "there is a scale at least"
        if self.options.reduce == "mean":
            total /= np.float32(len(maps))
        first = (float(places[0][0] * image[0] - 0.5), float(places[1][0] * image[1] - 0.5))
        stride = (self.axes[0].stride * image[0] / size[0], self.axes[1].stride * image[1] / size[1])
        return total, first, stride

    def _sized(
        self, merged: Array, first: tuple[float, float], stride: tuple[float, float], image: tuple[int, int]
    ) -> Array:
        """The map as it is asked for: at the image's size, smoothed, the number of the best channel for argmax."""
        rows, columns = (
            ((np.arange(n) - a) / s if self.options.size == "image" else np.arange(m, dtype=np.float64))
            for n, m, a, s in zip(image, merged.shape[1:], first, stride, strict=True)
        )
        as_it_is = self.options.size == "map" and not self.options.smooth

        def made(one: Array) -> Array:
            return one if as_it_is else smoothed(sample(one, rows, columns), self.options.smooth)

        if self.options.channel == "argmax":  # one channel after the other: all of them at the image's size may be many
            best = made(merged[0])
            number = np.zeros(best.shape, np.float32)
            for k in range(1, len(merged)):
                here = made(merged[k])
                number[here > best] = k
                best = np.maximum(best, here)
            return number[None]
        if len(merged) * len(rows) * len(columns) * 4 > MOST_BYTES:
            raise ShapeError(
                f"{len(merged)} channels at the image's size, {image[0]}x{image[1]}",
                expected=f"at most {MOST_BYTES >> 30} GB",
                fix="choose a channel (--channel), or leave out --size image",
            )
        return np.stack([made(one) for one in merged])


@dataclass(frozen=True)
class _Prepared:
    image: NDArray[Any]
    size: tuple[int, int]
    sizes: tuple[tuple[int, tuple[int, int]], ...]
    inputs: tuple[tuple[int, int], ...]


def heatmap(
    net: Net,
    image: NDArray[Any] | str,
    *,
    scales: Sequence[int] | None = None,
    output: str | None = None,
    channel: int | str = "top",
    reduce: str = "mean",
    smooth: float = 0.0,
    size: str = "map",
    square: bool = False,
    labels: Sequence[str] = (),
    sliding_pool: bool = False,
    preprocessing: Preprocessing | None = None,
    colormap: str = "viridis",
) -> Heatmap:
    """The heatmap of one image: a path, or RGB (H, W, 3) of uint8 or of floats from 0 to 1.

    At each scale s the short side of the image is s pixels long (with `square` both are). With c_s(i) the middle of what position i
    sees at scale s, as a share of the image's side, and m_s the map there,

        map(i, j) = mean over s of m_s at (c_s^-1(c_f(i)), c_s^-1(c_f(j)))         f: the scale with the most positions

    bilinear between positions, constant beyond the outermost. `scales` None: the sizes with 1, 2, 4 and 8 positions along the short
    side. `output` is the blob (None: the net's output). `channel` is a number, a label, "top" (the class that the net gives the whole
    image), "all", or "argmax" (at each position the number of the best class). `reduce` "max" takes the greatest over the scales.
    `size` "image" brings the map to the image's size; `smooth` is the sigma of a Gaussian, in pixels of the map as given.

    Raises: NetsurgeryError, ShapeError for a blob that is no map, a channel that it does not have, or a scale below the smallest size.
    """
    made, job = plan(
        net,
        output,
        Options(
            None if scales is None else tuple(scales), channel, reduce, smooth, size, square, tuple(labels), colormap
        ),
        preprocessing or Preprocessing(),
        sliding_pool=sliding_pool,
    )
    pixels = read_image(image) if isinstance(image, str) else image
    prepared = job.prepare(pixels)
    model = open_model(made, [job.blob], free=True)
    prepared.outputs = [model.run(x) for x in prepared.inputs]
    return replace(job.combine(prepared), image=pixels)


def plan(
    net: Net, output: str | None, options: Options, preprocessing: Preprocessing, *, sliding_pool: bool = False
) -> tuple[Net, HeatmapJob]:
    """The fully convolutional net, and the job, checked as far as it can be without an image. Raises: as `heatmap`."""
    blob = output if output is not None else only_output(net)
    made = convolutionalize(cut(net, [blob]), sliding_pool=sliding_pool)
    channels = input_shape(made)[0]
    shape = made.shapes()[blob]
    if len(shape) != 4 or not known(shape):
        raise ShapeError(
            f"blob '{blob}' {_times(shape)} is no map",
            source=net.source,
            expected="a blob (N, channels, h, w) of the fully convolutional net",
            fix="name another blob: --output",
        )
    count = numbers(shape)[1]
    options = replace(options, channel=find_channel(options.channel, count, options.labels, blob, WORDS))
    for value, allowed, what in ((options.reduce, ("mean", "max"), "reduce"), (options.size, ("map", "image"), "size")):
        if value not in allowed:
            raise NetsurgeryError(f"--{what} {value}", expected=" or ".join(allowed))
    if not 0 <= options.smooth < 1e6:
        raise NetsurgeryError(f"--smooth {options.smooth:g}", expected="the sigma of a Gaussian in pixels, 0 for none")
    found = geometry(made, blob, image_input(made))
    axes = tuple(axis_of(net, found, axis) for axis in range(2))
    job = HeatmapJob(blob, channels, (axes[0], axes[1]), preprocessing, options)
    if options.scales is not None:
        if not options.scales:
            raise NetsurgeryError("no scale is given", expected="--scales 227,451, or none for the net's own")
        least = min(axis.smallest for axis in axes)
        if min(options.scales) < least:  # whatever the image
            raise too_small(blob, min(options.scales), least)
    return made, job


def _filled(height: int, width: int, least_height: int, least_width: int) -> tuple[int, int]:
    """The least size of an image's shape that is not less than the other one."""
    if least_height * width >= least_width * height:
        return least_height, max(least_width, int(least_height * width / height + 0.5))
    return max(least_height, int(least_width * height / width + 0.5)), least_width


def too_small(blob: str, side: int, smallest: int) -> ShapeError:
    return ShapeError(
        f"scale {side} is too small: '{blob}' has no position there",
        expected=f"at least {smallest} pixels",
        fix=f"--scales {smallest},...",
    )


def only_output(net: Net) -> str:
    """The net's output. Raises: NetsurgeryError if it has several."""
    if len(net.outputs) != 1:
        raise NetsurgeryError(
            f"the net has {len(net.outputs)} outputs: {', '.join(net.outputs)}",
            source=net.source,
            fix="name one: --output",
        )
    return net.outputs[0]


def _times(sizes: Sequence[object]) -> str:
    return "x".join(map(show, sizes))
