"""Pixels as Caffe's data layers transform them in the phase TEST.

    bytes (C, H, W)  ->  - mean  ->  cut out the middle (h, w)  ->  * scale

The mean image has the size of the image, not that of the crop. Nothing is mirrored, nothing is cut at random.

Source: BVLC Caffe, src/caffe/data_transformer.cpp (Transform)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..formats.preprocessing import PYCAFFE, RAW, Preprocessing
from .preprocess import preprocess

Array = NDArray[np.float32]


def transform(pixels: NDArray[Any], shape: tuple[int, int, int], done: Preprocessing) -> Array:
    """What a data layer makes of an image, blue first, for an input of shape (C, h, w); or pycaffe, if that is the convention.

    Shapes: (C, H, W), uint8 or float -> (C, h, w).
    Raises: ShapeError for other channels, an image smaller than the input, or a mean image of another size.
    """
    channels, height, width = shape
    if done.convention == PYCAFFE:
        return preprocess(np.asarray(pixels).transpose(1, 2, 0)[:, :, ::-1], channels, (height, width), done)
    if len(pixels) != channels:
        raise ShapeError(
            f"an image of {len(pixels)} channels",
            expected=f"{channels}, as the net's input",
            fix="--gray reads image files as gray" if channels == 1 else "images in color",
        )
    x = pixels.astype(np.float32)
    if done.channel_order == "rgb" and channels == 3:
        x = np.ascontiguousarray(x[::-1])
    if done.raw_scale != RAW:
        x *= np.float32(done.raw_scale / RAW)
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    if top < 0 or left < 0:
        raise ShapeError(
            f"an image of {x.shape[1]}x{x.shape[2]}",
            expected=f"at least {height}x{width}, the net's input",
            fix=f"warp images: --resize {height}x{width}",
        )
    mean = done.mean_for(channels)
    if mean is not None and mean.shape[1:] in ((1, 1), x.shape[1:]):
        x -= mean
        mean = None
    x = x[:, top : top + height, left : left + width]
    if mean is not None:
        if mean.shape != x.shape:
            raise ShapeError(
                f"a mean image of {mean.shape[1]}x{mean.shape[2]} and images of {pixels.shape[1]}x{pixels.shape[2]}",
                expected="one size, or that of the net's input",
                fix=f"--resize {mean.shape[1]}x{mean.shape[2]}",
            )
        x = x - mean
    if done.scale != 1:
        x = x * np.float32(done.scale)
    return np.ascontiguousarray(x)
