"""Images of bytes at another size, to the last bit as OpenCV's cv::resize makes them, which convert_imageset and Caffe's
image layers use (INTER_LINEAR).

Weights are whole numbers of 2048ths. Where both sides halve, pixels are means of four, as OpenCV's INTER_AREA.

Source: OpenCV 2.4 to 4, modules/imgproc/src/resize.cpp
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_ONE = 2048


def resize_bytes(image: Bytes, size: tuple[int, int]) -> Bytes:
    """The image at another size: pixel k of n looks at (k + 1/2) N / n - 1/2, pixels beyond the edge being that at the edge.

    Shapes: (H, W) or (H, W, C), (h, w) -> (h, w) or (h, w, C).
    """
    if image.shape[:2] == size:
        return image
    if image.shape[0] == 2 * size[0] and image.shape[1] == 2 * size[1]:
        x = image.astype(np.int32)
        halved: Bytes = ((x[::2, ::2] + x[::2, 1::2] + x[1::2, ::2] + x[1::2, 1::2] + 2) >> 2).astype(np.uint8)
        return halved
    (top, bottom, down), (left, right, across) = (_taps(n, old) for n, old in zip(size, image.shape, strict=False))
    # beyond the left and the right edge a pixel counts as one; above and below it counts as two that are the same
    across[:, left == right] = [[_ONE], [0]]
    trailing = (1,) * (image.ndim - 2)
    across, down = across.reshape(2, -1, *trailing), down.reshape(2, -1, 1, *trailing)
    x = image.astype(np.int32)
    lines = (x[:, left] * across[0] + x[:, right] * across[1]) >> 4
    total = ((lines[top] * down[0]) >> 16) + ((lines[bottom] * down[1]) >> 16)
    resized: Bytes = np.clip((total + 2) >> 2, 0, 255).astype(np.uint8)
    return resized


def _taps(count: int, old: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[Any]]:
    """The two neighbours of each pixel, and what each weighs in 2048ths: (n), (n), (2, n)."""
    places = ((np.arange(count) + 0.5) * (1 / (count / old)) - 0.5).astype(np.float32)
    first = np.floor(places).astype(np.intp)
    t = places - first.astype(np.float32)
    weights = np.rint(np.stack([np.float32(1) - t, t]) * np.float32(_ONE)).astype(np.int32)
    return np.clip(first, 0, old - 1), np.clip(first + 1, 0, old - 1), weights
