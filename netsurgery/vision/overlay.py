"""A map laid over its image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import LUMA
from .colormap import colours
from .picture import Picture, as_color, to_bytes, unit
from .resize import Array, resize

MAP_SHARE = 0.6
"""How much of an overlay's color is the map's; the rest is the image in gray."""

DARKEST, BRIGHTEST = 0.2, 0.8
"""The gray to which black and white of the image are drawn in, so that the map is seen on either."""

LEAST_SIDE = 160
"""Overlays of smaller images are enlarged to this, by a whole number."""


def overlay(
    image: NDArray[Any],
    values: NDArray[Any],
    *,
    low: float | None = None,
    high: float | None = None,
    colormap: str = "viridis",
) -> Picture:
    """The image in gray under the map in color: gray = 0.2 + 0.6 * luminance, pixel = 0.4 gray + 0.6 color. `low` and `high` are the
    range of the colours (None: that of the map).

    Shapes: image (H, W, 3) or (H, W) of uint8, or of floats from 0 to 1; values (H, W), or of any size, over the whole image, ->
    (H, W, 3); small images are enlarged.
    """
    return blend(image, values, *range_of(values, low, high), colormap)


def blend(image: NDArray[Any], values: NDArray[Any], low: float, high: float, colormap: str = "viridis") -> Picture:
    """The overlay of a map whose colours go from `low` to `high`."""
    over = resize(np.asarray(values), image.shape[:2])
    gray = gray_of(image)
    times = -(-LEAST_SIDE // min(gray.shape))
    if times > 1:  # the map smoothly, the image as it is
        gray = gray.repeat(times, axis=0).repeat(times, axis=1)
        over = resize(np.asarray(values), gray.shape[:2])
    return _mixed(gray, colours(unit(over, low, high), colormap))


def classes(image: NDArray[Any], numbers: NDArray[Any], background: int | None = None) -> Picture:
    """The image under a map of class numbers, one color for each class; the background leaves the image as it is.

    Shapes: image (H, W, 3) or (H, W), numbers (H, W) -> (H, W, 3); small images are enlarged.
    """
    gray = gray_of(image)
    times = max(1, -(-LEAST_SIDE // min(gray.shape)))
    gray = gray.repeat(times, axis=0).repeat(times, axis=1)
    over = numbers.repeat(times, axis=0).repeat(times, axis=1).astype(np.intp)
    bare = (over == background)[:, :, None] if background is not None else False
    return np.where(bare, as_color(to_bytes(gray)), _mixed(gray, class_colours(over)))


DISTINCT = """
    e6194b 3cb44b ffe119 4363d8 f58231 911eb4 46f0f0 9a6324 fabebe bcf60c
    000075 f032e6 008080 e6beff 800000 aaffc3 808000 ffd8b1
"""
"""Colours of the first classes. Source: Sasha Trubetskoy, List of 20 simple, distinct colors (2017)"""


def class_colours(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """A color for every class number: DISTINCT for the first; then hues a golden section apart, in three lightnesses.

    Shapes: (...) -> (..., 3), uint8."""
    first = np.frombuffer(bytes.fromhex("".join(DISTINCT.split())), np.uint8).reshape(-1, 3)
    number = np.asarray(numbers, np.intp)
    hue = number * 0.6180339887498949 % 1 * 6
    wave = np.clip(np.abs((hue[..., None] + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    light = np.array([1.0, 0.6, 0.8])[number % 3][..., None]
    return np.where(
        (number < len(first))[..., None],
        first[np.clip(number, 0, len(first) - 1)],
        to_bytes(light * (0.15 + 0.8 * wave)),
    )


def range_of(values: NDArray[Any], low: float | None = None, high: float | None = None) -> tuple[float, float]:
    """The finite range of values, or what is named."""
    finite = values[np.isfinite(values)]
    bottom, top = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return bottom if low is None else low, top if high is None else high


def gray_of(image: NDArray[Any]) -> Array:
    """The brightness of an image (H, W, 3) or (H, W) of uint8 or floats: (H, W), 0 to 1."""
    x = image.astype(np.float32) / 255 if image.dtype == np.uint8 else image.astype(np.float32)
    if x.ndim == 3:
        x = x @ np.array(LUMA, np.float32) if x.shape[2] == 3 else x[:, :, 0]
    return np.clip(x, 0, 1)


def _mixed(gray: Array, color: NDArray[np.uint8]) -> Picture:
    under = DARKEST + (BRIGHTEST - DARKEST) * gray
    return to_bytes((1 - MAP_SHARE) * under[:, :, None] + MAP_SHARE * color.astype(np.float32) / 255)


def shades(colormap: str, count: int = 256) -> NDArray[np.uint8]:
    """The colours of a map as they look on middle gray, from the least value to the greatest. Shapes: -> (count, 3)."""
    middle = np.full((count, 1), 0.5, np.float32)
    return _mixed(middle, colours(np.linspace(0, 1, count), colormap)[:, None])[:, 0]
