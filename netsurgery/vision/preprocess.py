"""Images as a net expects them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..formats.preprocessing import LUMA, RAW, Preprocessing
from .resize import resize

Array = NDArray[np.float32]


def preprocess(
    image: NDArray[Any],
    channels: int,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Array:
    """The image as an input blob: warped to `size` (h, w), then, for each channel c of the net,

        blob[c] = (raw_scale * image[c] - mean[c]) * scale

    `image` is RGB or gray: uint8, which stands for 0 to 1, or float. For "bgr" its channels are reversed first; for a net of one channel
    color becomes gray (0.299 R + 0.587 G + 0.114 B, rounded for uint8), for one of three gray is repeated. A mean image is warped to the
    size, too. These are the steps of pycaffe's Transformer in its order, on float32.

    Shapes: (H, W, 3), (H, W, 1) or (H, W) -> (channels, h, w).
    Raises: ShapeError for an image or a mean of other channels.
    Source: python/caffe/io.py
    """
    done = preprocessing or Preprocessing()
    x = with_channels(image, channels)
    x = resize(x, size or x.shape[:2])
    if done.channel_order == "bgr" and channels == 3:
        x = x[:, :, ::-1]
    blob = np.ascontiguousarray(x.transpose(2, 0, 1))
    if blob.base is not None or blob is x or np.shares_memory(blob, image):
        blob = blob.copy()
    factor = done.raw_scale / RAW if image.dtype == np.uint8 else done.raw_scale
    if factor != 1:
        blob *= np.float32(factor)
    mean = done.mean_for(channels)
    if mean is not None:
        if mean.shape[1:] not in ((1, 1), blob.shape[1:]):
            mean = resize(mean.transpose(1, 2, 0), (blob.shape[1], blob.shape[2])).transpose(2, 0, 1)
        blob -= mean
    if done.scale != 1:
        blob *= np.float32(done.scale)
    return blob


def deprocess(blob: NDArray[Any], preprocessing: Preprocessing | None = None) -> Array:
    """The image that `preprocess` would make into this blob: image[c] = (blob[c] / scale + mean[c]) / raw_scale, RGB of 0 to 1, cut off
    there.

    Shapes: (C, h, w) -> (h, w, C).
    """
    done = preprocessing or Preprocessing()
    x = np.asarray(blob, np.float32) / np.float32(done.scale)
    mean = done.mean_for(len(x))
    if mean is not None:
        if mean.shape[1:] not in ((1, 1), x.shape[1:]):
            mean = resize(mean.transpose(1, 2, 0), (x.shape[1], x.shape[2])).transpose(2, 0, 1)
        x = x + mean
    image = (x / np.float32(done.raw_scale)).transpose(1, 2, 0)
    if done.channel_order == "bgr" and len(x) == 3:
        image = image[:, :, ::-1]
    made: Array = np.clip(image, 0, 1)
    return made


def with_channels(image: NDArray[Any], channels: int) -> NDArray[Any]:
    """The image as (H, W, channels). Raises: ShapeError if it can not be."""
    x = image[:, :, None] if image.ndim == 2 else image
    if x.ndim != 3 or not x.size:
        raise ShapeError(
            f"an image of shape {image.shape}", expected="(height, width, 3), (height, width, 1) or (height, width)"
        )
    if x.shape[2] == channels:
        return x
    if x.shape[2] == 1 and channels == 3:
        return np.repeat(x, 3, axis=2)
    if x.shape[2] == 3 and channels == 1:
        gray = x.astype(np.float32) @ np.array(LUMA, np.float32)
        return (np.floor(gray + 0.5) if x.dtype == np.uint8 else gray).astype(x.dtype)[:, :, None]
    raise ShapeError(
        f"an image of {x.shape[2]} channels",
        expected=f"{channels}, as the net's input has" if channels != 3 else "3 or 1",
    )


def centre_crop(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The middle of an image, cut out as pycaffe's Classifier does: from floor((H - h) / 2), floor((W - w) / 2).

    Raises: ShapeError if the image is smaller. Source: python/caffe/classifier.py"""
    _require_room(image, size)
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    return image[top : top + size[0], left : left + size[1]]


def oversample(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Ten crops of an image: its four corners and its middle, then these mirrored.

    Shapes: (H, W, C) -> (10, h, w, C).
    Raises: ShapeError if the image is smaller. Source: python/caffe/io.py (oversample)
    """
    _require_room(image, size)
    h, w = size
    corners = [(top, left) for top in (0, image.shape[0] - h) for left in (0, image.shape[1] - w)]
    crops = [image[top : top + h, left : left + w] for top, left in corners]
    crops.append(centre_crop(image, size))
    return np.stack(crops + [crop[:, ::-1] for crop in crops])


def _require_room(image: NDArray[Any], size: tuple[int, int]) -> None:
    if image.shape[0] < size[0] or image.shape[1] < size[1]:
        raise ShapeError(
            f"a crop of {size[0]}x{size[1]} from an image of {image.shape[0]}x{image.shape[1]}",
            expected="an image at least as large as the net's input",
            fix="give a larger size to warp the image to first (--resize)",
        )
