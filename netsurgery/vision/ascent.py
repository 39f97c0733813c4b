"""What climbing a gradient from image to image needs: the range of pixels, moves, total variation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import Preprocessing
from .preprocess import preprocess

Array = NDArray[np.float32]


def pixel_range(channels: int, size: tuple[int, int], done: Preprocessing) -> tuple[Array, Array, Array]:
    """Input blobs (C, h, w) of even gray, and of the least and the greatest values that pixels can have."""
    gray, low, high = (_even(value, channels, size, done) for value in (0.5, 0.0, 1.0))
    return gray, np.minimum(low, high), np.maximum(low, high)


def _even(value: float, channels: int, size: tuple[int, int], done: Preprocessing) -> Array:
    if done.frame is None or min(a - b for a, b in zip(done.frame, size, strict=True)) < 0:
        return preprocess(np.full((*size, channels), value, np.float32), channels, size, done, whole=True)
    return preprocess(np.full((*done.frame, channels), value, np.float32), channels, size, replace(done, resize=None))


def moved_slope(
    slope: Callable[[Array], tuple[float, Array]], x: Array, jitter: int, rng: np.random.Generator
) -> tuple[float, Array]:
    """The value and the slope on x moved by up to `jitter` pixels along each axis, what leaves one edge coming in at the other; the
    slope is moved back."""
    down, right = (int(n) for n in rng.integers(-jitter, jitter + 1, 2)) if jitter else (0, 0)
    value, direction = slope(np.roll(x, (down, right), axis=(1, 2)))
    return value, np.roll(direction, (-down, -right), axis=(1, 2))


def total_variation(x: NDArray[Any], least: float) -> tuple[float, NDArray[Any]]:
    """TV = sum over pixels of sqrt(a^2 + b^2 + least^2), a and b the steps to the pixels on the right and below (0 at the edge), and
    dTV / dx, which is no greater than 4 anywhere. Steps far below `least` hardly count.

    Shapes: (C, h, w) -> (C, h, w).
    """
    right, down = np.zeros_like(x), np.zeros_like(x)
    right[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    down[:, :-1] = x[:, 1:] - x[:, :-1]
    length = np.sqrt(right**2 + down**2 + least**2)
    right, down = right / length, down / length
    slope = -right - down
    slope[:, :, 1:] += right[:, :, :-1]
    slope[:, 1:] += down[:, :-1]
    return float(length.sum()), slope
