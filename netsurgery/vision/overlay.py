"""A map laid over its image, with a bar that says what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import LUMA
from .colormap import colours
from .picture import PAPER, Picture, as_color, grid, shown, text_size, to_bytes, unit, write
from .resize import Array, resize

MAP_SHARE = 0.6
"""How much of an overlay's color is the map's; the rest is the image in gray."""

DARKEST, BRIGHTEST = 0.2, 0.8
"""The gray to which black and white of the image are drawn in, so that the map is seen on either."""

LEAST_SIDE = 160
"""Overlays of smaller images are enlarged to this, by a whole number: a bar and its numbers need room."""


def overlay(
    image: NDArray[Any],
    values: NDArray[Any],
    *,
    low: float | None = None,
    high: float | None = None,
    colormap: str = "viridis",
    title: str = "",
) -> Picture:
    """The image in gray under the map in color, a bar with the map's range beside it: gray = 0.2 + 0.6 * luminance,
    pixel = 0.4 gray + 0.6 color. `low` and `high` are the range of the colours (None: that of the map).

    Shapes: image (H, W, 3) or (H, W) of uint8, or of floats from 0 to 1; values (H, W), or of any size, over the whole image, -> about
    (H, W + 80, 3).
    """
    low, high = _range(values, low, high)
    picture = blend(image, values, low, high, colormap)
    bar = _bar(picture.shape[0], low, high, colormap)
    return _titled(np.concatenate([picture, bar], axis=1), title)


def blend(image: NDArray[Any], values: NDArray[Any], low: float, high: float, colormap: str = "viridis") -> Picture:
    """The overlay without its bar."""
    over = resize(np.asarray(values), image.shape[:2])
    gray = gray_of(image)
    times = -(-LEAST_SIDE // min(gray.shape))
    if times > 1:  # the map smoothly, the image as it is
        gray = gray.repeat(times, axis=0).repeat(times, axis=1)
        over = resize(np.asarray(values), gray.shape[:2])
    return _mixed(gray, colours(unit(over, low, high), colormap))


def classes(image: NDArray[Any], numbers: NDArray[Any], names: Sequence[str] = ()) -> Picture:
    """The image under a map of class numbers, one color for each class, with the names of those that cover most. A class named
    "background" leaves the image as it is.

    Shapes: image (H, W, 3) or (H, W), numbers (H, W).
    """
    gray = gray_of(image)
    times = max(1, -(-LEAST_SIDE // min(gray.shape)))
    gray = gray.repeat(times, axis=0).repeat(times, axis=1)
    over = numbers.repeat(times, axis=0).repeat(times, axis=1).astype(np.intp)
    found, counts = np.unique(numbers.astype(np.intp), return_counts=True)
    bare = [k for k in found if k < len(names) and names[k].lower() == "background"]
    picture = np.where(np.isin(over, bare)[:, :, None], as_color(to_bytes(gray)), _mixed(gray, class_colours(over)))
    counts = np.where(np.isin(found, bare), 0, counts)
    rows = max(1, (picture.shape[0] - 4) // 18)
    listed = [k for k in found[np.argsort(-counts, kind="stable")] if k not in bare][:rows] or list(found[:1])
    texts = [names[k] if k < len(names) else str(k) for k in listed]
    texts = [text if len(text) <= 24 else text[:23] + "…" for text in texts]
    legend = np.full((picture.shape[0], 30 + max(text_size(text)[1] for text in texts), 3), PAPER, np.uint8)
    for i, (k, text) in enumerate(zip(listed, texts, strict=True)):
        legend[4 + 18 * i : 16 + 18 * i, 6:18] = class_colours(np.array(k))
        write(legend, text, 3 + 18 * i, 24)
    return np.concatenate([picture, legend], axis=1)


def class_colours(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    """A color for every class number: hues a golden section apart, so that classes next to each other differ."""
    hue = np.asarray(numbers, np.float64) * 0.6180339887498949 % 1 * 6
    wave = np.clip(np.abs((hue[..., None] + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return to_bytes(0.15 + 0.8 * wave)


def sheet(image: NDArray[Any], maps: NDArray[Any], names: Sequence[str], colormap: str = "viridis") -> Picture:
    """Overlays of several maps of one image, each with its name, colours of one range, and one bar.

    Shapes: image (H, W, 3) or (H, W), maps (k, H, W).
    """
    low, high = _range(maps, None, None)
    tiles = [_titled(blend(image, one, low, high, colormap), name) for one, name in zip(maps, names, strict=True)]
    made = grid(tiles, gap=2)
    return np.concatenate([made, _bar(made.shape[0], low, high, colormap)], axis=1)


def _range(values: NDArray[Any], low: float | None, high: float | None) -> tuple[float, float]:
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


def _bar(height: int, low: float, high: float, colormap: str) -> Picture:
    """A strip of paper with the colours as they look on middle gray, from `high` above to `low` below, and numbers beside them."""
    numbers = [high, (low + high) / 2, low] if height >= 90 else [high, low]
    texts = [shown(number) for number in numbers]
    across = 36 + max(text_size(text)[1] for text in texts)
    made = np.full((height, across, 3), PAPER, np.uint8)
    top, bottom = 8, height - 8
    middle = np.full((bottom - top, 1), 0.5, np.float32)
    shades = _mixed(middle, colours(np.linspace(1, 0, bottom - top), colormap)[:, None])
    made[top - 1 : bottom + 1, 7:23] = 0
    made[top:bottom, 8:22] = shades
    for i, text in enumerate(texts):
        place = top + (bottom - top - 1) * i // (len(texts) - 1)
        made[place, 23:27] = 0
        write(made, text, min(max(0, place - 8), height - 17), 30)
    return made


def _titled(picture: Picture, title: str) -> Picture:
    if not title:
        return picture
    rows, _ = text_size(title)
    made = np.full((picture.shape[0] + rows + 2, picture.shape[1], 3), PAPER, np.uint8)
    made[rows + 2 :] = picture
    write(made, title, 1, 3)
    return made
