"""A window of an image with what surrounds it, as R-CNN cuts it out.

Source: BVLC Caffe, python/caffe/detector.py (crop); Girshick et al., Rich feature hierarchies (2014), appendix A
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files.resample import resize_image


def with_context(
    image: NDArray[Any], window: Sequence[float] | NDArray[Any], pad: int, side: int, fill: NDArray[Any]
) -> NDArray[np.float32] | None:
    """The window (top, left, bottom, right) made side / (side - 2 pad) times larger about its centre, in a square of `side` pixels; what
    of it lies outside of the image is `fill`. None if all of it does.

    Shapes: image (H, W, C) of floats, fill (side, side, C) -> the same.
    """
    low, high = np.array(window[:2], dtype=float), np.array(window[2:], dtype=float)
    # of rows and columns, the last pixel of a window counts as inside
    half = (high - low + 1) / 2.0
    grown = half * (side / (side - 2.0 * pad))
    low, high = np.round(low + half - grown), np.round(low + half + grown)
    scale = side / (high - low + 1)
    before = [round(n) for n in np.maximum(-low, 0) * scale]
    low, high = np.clip(low, 0, image.shape[:2]), np.clip(high, 0, image.shape[:2])
    if (high <= low).any():
        return None
    height, width = (min(round(n), side - margin) for n, margin in zip((high - low + 1) * scale, before, strict=True))
    (top, left), (bottom, right) = low.astype(int), high.astype(int)
    crop: NDArray[np.float32] = np.array(fill, np.float32)
    inside = resize_image(image[top:bottom, left:right], (height, width))
    crop[before[0] : before[0] + height, before[1] : before[1] + width] = inside
    return crop
