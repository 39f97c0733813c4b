"""A map of what a classifier says of each part of an image, and what it was made of."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..shown import size_text
from .figures import figure_png, legend_figure, map_figure, sheet_figure
from .labels import name_of
from .overlay import class_colours, classes, overlay, shades
from .picture import Picture
from .places import sample_maps
from .resize import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 16
"""How many channels the figure of all shows: those with the greatest values."""

LISTED = 40
"""How many classes a legend names: those that cover most."""

PLAIN = (235, 235, 235)
"""What stands for the background in a legend."""


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
    labels: Sequence[str] = ()
    colormap: str = "viridis"
    image: NDArray[Any] | None = None
    """The image, where it was one alone."""
    blob: str = ""
    background: int | None = None
    """The class that is nothing, if there is one."""

    def __repr__(self) -> str:
        low, high = self.range
        what = f"'{self.label}'" if self.label else f"channel {self.channel}"
        return f"<Heatmap of {what}: {size_text(self.values.shape)}, {low:.3g} to {high:.3g}>"

    def _repr_html_(self) -> str:
        """The overlay, for notebooks."""
        image = np.full((*self.image_size, 3), 255, np.uint8) if self.image is None else self.image
        png = b64encode(figure_png(self.figure(image))).decode()
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
        """The map over its image (H, W, 3), of whatever size the image now is; of all channels that with the greatest value."""
        size = image.shape[0], image.shape[1]
        if self.channel == "argmax":
            return classes(image, self.at(size), self.background)
        low, high = self.range
        values = self.at(size)
        one = (
            values if values.ndim == 2 else values[np.nan_to_num(values).reshape(len(values), -1).max(axis=1).argmax()]
        )
        return overlay(image, one, low=low, high=high, colormap=self.colormap)

    def figure(self, image: NDArray[Any]) -> Figure:
        """The overlay as a matplotlib Figure: blob and class in its title, a bar with the map's range or a legend of all classes, axes in
        pixels of the image. Of all channels those with the greatest values, each over the image.

        Raises: NetsurgeryError without matplotlib (extra `vision`).
        """
        size = image.shape[0], image.shape[1]
        low, high = self.range
        what = f"{self.blob}: " if self.blob else ""
        if self.channel == "argmax":
            numbers, counts = np.unique(self.values.astype(np.intp), return_counts=True)
            order = numbers[np.argsort(-counts, kind="stable")][:LISTED]
            shares = dict(zip(numbers.tolist(), (counts / counts.sum()).tolist(), strict=True))
            names = [f"{name_of(self.labels, k)} {_share(shares[k])}" for k in order.tolist()]
            colours = [PLAIN if k == self.background else class_colours(np.array(k)) for k in order.tolist()]
            if len(numbers) > len(order):
                names, colours = [*names, f"and {len(numbers) - len(order)} more"], [*colours, (255, 255, 255)]
            return legend_figure(self.overlay(image), self.image_size, names, colours, f"{what}best class")
        if self.values.ndim == 2:
            title = what + (self.label or f"channel {self.channel}")
            bar = shades(self.colormap)
            return map_figure(self.overlay(image), self.image_size, low, high, bar, title=title, unit=self.blob)
        order = np.argsort(-np.nan_to_num(self.values).reshape(len(self.values), -1).max(axis=1), kind="stable")[:SHOWN]
        shown = replace(self, values=self.values[np.sort(order)]).at(size)
        pictures = [overlay(image, one, low=low, high=high, colormap=self.colormap) for one in shown]
        labels = [name_of(self.labels, int(k)) for k in np.sort(order)]
        count = f"{len(order)} of {len(self.values)} channels" if len(order) < len(self.values) else "all channels"
        bar = shades(self.colormap)
        return sheet_figure(pictures, labels, size, low, high, bar, title=f"{what}{count}", unit=self.blob)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"
