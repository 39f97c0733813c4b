"""What climbing a gradient from image to image needs: slopes, the range of pixels, moves, total variation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..formats.preprocessing import Preprocessing
from ..net import Net
from .gradient import require_torch
from .picture import Picture, as_color, to_bytes
from .preprocess import deprocess, preprocess

Array = NDArray[np.float32]
Slope = Callable[[Array], tuple[float, Array]]
"""The value of an objective on an input (C, h, w), and its gradient there."""


def require_least(**least: tuple[int, int]) -> None:
    """Raises: NetsurgeryError for a number, by name, that is below its least."""
    for what, (number, low) in least.items():
        if number < low:
            raise NetsurgeryError(f"{what} is {number}", expected=f"{low} or more")


def slope_of(net: Net, blob: str, shape: tuple[int, ...], objective: Callable[[Any], Any]) -> Slope:
    """The slope of an objective, which makes a scalar of PyTorch of the blob (without the batch axis), on inputs of a shape."""
    torch = require_torch("ascent")
    from ..exporters.torch.module import TorchNet

    run = TorchNet(net, blob, (1, *shape))

    def slope(x: Array) -> tuple[float, Array]:
        leaf = torch.from_numpy(np.ascontiguousarray(x[None], np.float32)).requires_grad_(True)
        value = objective(run(leaf)[0])
        (gradient,) = torch.autograd.grad(value, leaf)
        return float(value.detach()), gradient[0].numpy()

    return slope


def picture_of(blob: Array, done: Preprocessing) -> Picture:
    """An input blob (C, h, w) as the image that it stands for."""
    return as_color(to_bytes(deprocess(blob, done)))


def pixel_range(channels: int, size: tuple[int, int], done: Preprocessing) -> tuple[Array, Array, Array]:
    """Input blobs (C, h, w) of even gray, and of the least and the greatest values that pixels can have."""
    gray, low, high = (_even(value, channels, size, done) for value in (0.5, 0.0, 1.0))
    return gray, np.minimum(low, high), np.maximum(low, high)


def _even(value: float, channels: int, size: tuple[int, int], done: Preprocessing) -> Array:
    if done.frame is None or min(a - b for a, b in zip(done.frame, size, strict=True)) < 0:
        return preprocess(np.full((*size, channels), value, np.float32), channels, size, done, whole=True)
    return preprocess(np.full((*done.frame, channels), value, np.float32), channels, size, replace(done, resize=None))


def moved_slope(slope: Slope, x: Array, jitter: int, rng: np.random.Generator) -> tuple[float, Array]:
    """The value and the slope on x moved by up to `jitter` pixels along each axis, what leaves one edge coming in at the other; the
    slope is moved back."""
    down, right = (int(n) for n in rng.integers(-jitter, jitter + 1, 2)) if jitter else (0, 0)
    value, direction = slope(np.roll(x, (down, right), axis=(1, 2)))
    return value, np.roll(direction, (-down, -right), axis=(1, 2))


def even(slope: Array) -> Array:
    """A slope whose mean magnitude is 1."""
    return np.asarray(slope / (np.abs(slope).mean() + np.float32(1e-12)), np.float32)


def total_variation(x: Array, least: float) -> tuple[float, Array]:
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
