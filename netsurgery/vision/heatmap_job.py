"""What is done with each image of which a heatmap is made: inputs at several sizes, and their maps brought together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..formats.preprocessing import Preprocessing
from ..options import Flag, Kind, Number, Sizes, choice, option
from .heatmap_result import Heatmap
from .images import ImageFile
from .labels import BACKGROUND, BACKGROUND_HELP, name_of
from .pipeline import Job, Sample
from .places import Axis, sample_maps, smoothed
from .preprocess import preprocess
from .resize import Array, sample, shrink

MOST_PIXELS = 1 << 26
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Options:
    """How a heatmap is made: see `heatmap`."""

    scales: Sequence[int] | None = option(
        None,
        Sizes(metavar="227,259,323,451"),
        "scales",
        "Short sides of the input. Default: those that give 1, 2, 4 and 8 positions.",
    )
    channel: int | str = option(
        "top",
        Kind(metavar="K|NAME|top|all|argmax"),
        "channel",
        "A class by number or name; top: the net's answer for the whole image, or, beside a background, the class with the greatest"
        " value; all; argmax: the best class of each position.",
    )
    reduce: str = option("mean", choice("mean", "max"), "reduce", "What is made of the scales' maps.")
    smooth: float = option(
        0.0, Number("a number", "SIGMA"), "smooth", "Blurs the map by a Gaussian, in pixels of the map."
    )
    size: str = option("map", choice("map", "image"), "size", "The map's size: its positions, or the image's pixels.")
    square: bool = option(False, Flag(), "square", "Warp images to squares instead of keeping their shape.")
    labels: Sequence[str] = ()
    colormap: str = option("viridis", choice("viridis", "magma", "gray"), "colormap", "The overlay's colours.")
    background: str | None = option(None, BACKGROUND, "background", BACKGROUND_HELP)


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
    background: int | None = None
    """The class that "top" does not take."""

    def prepare(self, image: NDArray[Any]) -> Sample:
        height, width = image.shape[:2]
        sizes = self.input_sizes(height, width)
        base = self.axes[0].declared, self.axes[1].declared
        sizes_and_base = [size for _, size in sizes] + [base] * (base not in [size for _, size in sizes])
        inputs = [self.input_of(image, size) for size in sizes_and_base]
        small = image
        if self.thumbnail and max(height, width) > self.thumbnail:
            share = self.thumbnail / max(height, width)
            small = shrink(image, (max(1, round(height * share)), max(1, round(width * share))))
        return Sample(inputs, _Prepared(small, (height, width), tuple(sizes), tuple(sizes_and_base)))

    def input_of(self, image: NDArray[Any], size: tuple[int, int]) -> Array:
        """The whole image as an input (1, C, h, w) of that size."""
        return preprocess(image, self.channels, size, self.preprocessing, whole=True)[None]

    def finish(self, image: ImageFile, sample: Sample) -> Heatmap:
        return self.combine(sample)

    def combine(self, sample: Sample) -> Heatmap:
        """The heatmap of the maps that the net gave."""
        done: _Prepared = sample.more
        scores = {size: blobs[0][0] for size, blobs in zip(done.inputs, sample.outputs, strict=True)}
        base = self.axes[0].declared, self.axes[1].declared
        whole = scores[base].reshape(len(scores[base]), -1).mean(axis=1)
        ranked = np.nan_to_num(whole, nan=-np.inf)
        if (
            self.background is not None and len(ranked) > 1
        ):  # of a whole image with much background it is the best everywhere
            peaks = [np.nan_to_num(scores[size], nan=-np.inf).max(axis=(1, 2)) for _, size in done.sizes]
            ranked = np.where(np.arange(len(ranked)) == self.background, -np.inf, np.max(peaks, axis=0))
        best = int(ranked.argmax())
        channel, label = self.chosen(len(whole), best)
        maps = [scores[size] for _, size in done.sizes]
        if isinstance(channel, int):
            maps = [one[channel : channel + 1] for one in maps]
        finest = max(range(len(maps)), key=lambda i: (maps[i].shape[1] * maps[i].shape[2], -i))
        sizes = [size for _, size in done.sizes]
        merged, first, stride = self._merged(maps, sizes, finest, done.size)
        values = self._sized(merged, first, stride, done.size)
        if self.options.size == "image":
            first, stride = (0.0, 0.0), (1.0, 1.0)
        return Heatmap(
            values=values if values.ndim == 3 and channel == "all" else values[0],
            channel=channel,
            label=label,
            score=whole if channel == "all" else float(whole[channel if isinstance(channel, int) else best]),
            best=best,
            maps=tuple(maps if channel in ("all", "argmax") else [one[0] for one in maps]),
            sides=tuple(side for side, _ in done.sizes),
            inputs=tuple(sizes),
            base=base,
            image_size=done.size,
            first=first,
            stride=stride,
            labels=self.options.labels,
            colormap=self.options.colormap,
            blob=self.blob,
            background=self.background,
        )

    def input_sizes(self, height: int, width: int) -> list[tuple[int, tuple[int, int]]]:
        """(side, input size) for each scale on an image of this size. Raises: ShapeError if one is too small, or too large to run."""
        short, asked = int(height > width), self.options.scales
        sizes = (
            self._default_sizes(height, width) if asked is None else [self._sized_to(s, height, width) for s in asked]
        )
        for size in sizes:
            if any(n < axis.smallest for n, axis in zip(size, self.axes, strict=True)):
                raise too_small(self.blob, size[short], self.least_side(height, width))
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

    def least_side(self, height: int, width: int) -> int:
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

        def at_size(one: Array) -> Array:
            return one if as_it_is else smoothed(sample(one, rows, columns), self.options.smooth)

        if self.options.channel == "argmax":  # one channel after the other: all of them at the image's size may be many
            best = at_size(merged[0])
            number = np.zeros(best.shape, np.float32)
            for k in range(1, len(merged)):
                here = at_size(merged[k])
                number[here > best] = k
                best = np.maximum(best, here)
            return number[None]
        if len(merged) * len(rows) * len(columns) * 4 > MOST_BYTES:
            raise ShapeError(
                f"{len(merged)} channels at the image's size, {image[0]}x{image[1]}",
                expected=f"at most {MOST_BYTES >> 30} GB",
                fix="choose a channel (--channel), or leave out --size image",
            )
        return np.stack([at_size(one) for one in merged])


@dataclass(frozen=True)
class _Prepared:
    image: NDArray[Any]
    size: tuple[int, int]
    sizes: tuple[tuple[int, tuple[int, int]], ...]
    inputs: tuple[tuple[int, int], ...]


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
