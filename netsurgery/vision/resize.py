"""Bilinear interpolation: the one way in which images, means and maps are brought to another size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def sample(x: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> Array:
    """The values of x at fractional places: for every pair (r, c) the mean of the four neighbours, each weighted by how near it is.
    Places outside x take the value at its edge.

    Shapes: (H, W, ...), (h), (w) -> (h, w, ...), float32.
    """
    above, below, down = _neighbours(rows, x.shape[0])
    left, right, across = _neighbours(columns, x.shape[1])
    down = down.reshape(-1, 1, *(1,) * (x.ndim - 2))
    across = across.reshape(1, -1, *(1,) * (x.ndim - 2))
    lines = _between(x[above], x[below], down)
    return _between(lines[:, left], lines[:, right], across)


def _neighbours(places: NDArray[Any], count: int) -> tuple[NDArray[Any], NDArray[Any], Array]:
    """The two neighbours of each place, and how far it is on the way from the first to the second."""
    inside = np.clip(np.asarray(places, np.float64), 0, count - 1)
    first = np.minimum(np.floor(inside).astype(np.intp), max(count - 2, 0))
    return first, np.minimum(first + 1, count - 1), (inside - first).astype(np.float32)


def _between(a: NDArray[Any], b: NDArray[Any], t: Array) -> Array:
    a = a.astype(np.float32, copy=False)
    mixture: Array = a + (b.astype(np.float32, copy=False) - a) * t
    return np.where(t == 0, a, mixture) if np.isinf(a).any() or np.isinf(b).any() else mixture


def resize(x: NDArray[Any], size: tuple[int, int]) -> Array:
    """x at another size: pixel k of n looks at (k + 1/2) * N / n - 1/2, as OpenCV's INTER_LINEAR and, but for the outermost pixels of
    images that grow, pycaffe's resize_image do. Nothing is averaged where it shrinks.

    Shapes: (H, W, ...) -> (h, w, ...), float32.
    """
    if x.shape[:2] == size:
        return x.astype(np.float32, copy=False)
    return sample(x, *(((np.arange(n) + 0.5) * (old / n) - 0.5) for n, old in zip(size, x.shape, strict=False)))


def shrink(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """An image made smaller for the eye: by the nearest whole number of pixels averaged first."""
    times = max(1, min(image.shape[0] // size[0], image.shape[1] // size[1]))
    if times > 1:
        h, w = image.shape[0] // times, image.shape[1] // times
        image = image[: h * times, : w * times].reshape(h, times, w, times, -1).mean(axis=(1, 3)).astype(image.dtype)
    small = resize(image, size)
    return np.clip(small + 0.5, 0, 255).astype(np.uint8) if image.dtype == np.uint8 else small
