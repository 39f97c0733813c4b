"""Pictures made of arrays: grids of tiles, PNG files."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..files.pillow import pillow

Picture = NDArray[np.uint8]
"""(height, width, 3)"""

PAPER = 255
MOST_PIXELS = 1 << 27


def to_png(picture: NDArray[Any], text: Mapping[str, str] | None = None) -> bytes:
    """A PNG file of a picture: (H, W) or (H, W, 3) of uint8, or (H, W) of uint16, which is written with 16 bits. `text` is kept in it."""
    modules = pillow("writing pictures")
    info = modules.PngImagePlugin.PngInfo()
    for key, value in (text or {}).items():
        info.add_text(key, value)
    file = io.BytesIO()
    modules.Image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", pnginfo=info, compress_level=4)
    return file.getvalue()


def to_16_bits(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint16]:
    """Numbers from `low` to `high` as 0 to 65535; all 0 if the two are one. NaN becomes 0."""
    span = high - low
    scaled = (np.asarray(values, np.float64) - low) * (65535 / span) if span > 0 else np.zeros(np.shape(values))
    return np.clip(np.nan_to_num(scaled) + 0.5, 0, 65535).astype(np.uint16)


def unit(values: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """Numbers from `low` to `high` as 0 to 1; 1/2 if the two are one."""
    span = high - low
    x = np.asarray(values, np.float32)
    return (x - np.float32(low)) / np.float32(span) if span > 0 else np.where(np.isnan(x), x, np.float32(0.5))


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers of 0 to 1 as 0 to 255; NaN is 128."""
    pixels: NDArray[np.uint8] = (np.clip(np.nan_to_num(values, nan=128 / 255), 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


def as_color(picture: NDArray[Any]) -> Picture:
    """(H, W) or (H, W, 1) of gray as (H, W, 3)."""
    x = picture[:, :, None] if picture.ndim == 2 else picture
    return np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x


def enlarge(picture: NDArray[Any], times: int) -> NDArray[Any]:
    """The picture with every pixel as a square of `times` x `times`."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def grid(tiles: Sequence[NDArray[Any]], columns: int | None = None, gap: int = 1, paper: int = PAPER) -> NDArray[Any]:
    """Tiles of one size in rows, `gap` pixels of paper between and around them; without `columns` about as wide as high.

    Shapes: n of (h, w, ...) -> (rows (h + gap) + gap, columns (w + gap) + gap, ...).
    Raises: NetsurgeryError if the picture would have more than 128 million pixels.
    """
    h, w, *rest = tiles[0].shape
    down, across = require_room(len(tiles), h, w, columns, gap)
    sheet = np.full((down * (h + gap) + gap, across * (w + gap) + gap, *rest), paper, tiles[0].dtype)
    for i, tile in enumerate(tiles):
        top, left = (i // across) * (h + gap) + gap, (i % across) * (w + gap) + gap
        sheet[top : top + h, left : left + w] = tile
    return sheet


def require_room(count: int, h: int, w: int, columns: int | None, gap: int) -> tuple[int, int]:
    """The rows and columns of a grid. Raises: NetsurgeryError if the picture would have more than 128 million pixels."""
    across = min(columns or max(1, math.ceil(math.sqrt(count * (h + gap) / (w + gap)))), count)
    down = -(-count // across)
    size = down * (h + gap) + gap, across * (w + gap) + gap
    if size[0] * size[1] > MOST_PIXELS:
        raise NetsurgeryError(
            f"a picture of {size[0]}x{size[1]} pixels",
            expected=f"at most {MOST_PIXELS >> 20} million pixels",
            fix="enlarge it less, or show fewer tiles",
        )
    return down, across


def enlarged_to(tile: int, times: int | None, count: int) -> int:
    """By which whole number tiles of `tile` pixels are enlarged: `wanted`, or so that `count` of them fill about 1000 pixels."""
    if times is not None:
        if times < 1:
            raise ShapeError(f"pictures enlarged {times} times", expected="a positive whole number")
        return times
    return max(1, 1000 // max(1, tile * math.ceil(math.sqrt(count))))
