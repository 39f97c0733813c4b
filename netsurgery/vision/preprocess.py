"""Images as a net expects them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..files.images import read_gray, read_image
from ..files.resample import resize_image
from ..formats.preprocessing import LINEAR_LUMA, LUMA_PARTS, PYCAFFE, RAW, Preprocessing
from .resize import resize
from .resize_bytes import resize_bytes

Array = NDArray[np.float32]
Size = tuple[int, int]

OVERSAMPLE_SIZE = 256
"""The least side to which images are warped before ten crops are cut out, unless another size is given: as pycaffe's classify.py."""


def preprocess(
    image: NDArray[Any],
    channels: int,
    size: Size | None = None,
    preprocessing: Preprocessing | None = None,
    *,
    whole: bool = False,
) -> Array:
    """The image as an input blob of `size` (h, w; None: its own, and it is whole), for each channel c of the net

        blob[c] = (raw_scale * image[c] - mean[c]) * scale

    `image` is RGB or gray: uint8, which stands for 0 to 1, or float. For "bgr" its channels are reversed; for a net of one channel color
    becomes gray, for one of three gray is repeated. `preprocessing.convention` says whose way it is, Caffe's data layers' unless it says
    otherwise (see Preprocessing):

    caffe     the image is warped to `resize`, to the size of the mean image or to the input (bytes as OpenCV does, bit for bit), the mean
              subtracted, the middle cut out
    pycaffe   the image is warped to `resize` or the input as caffe.io.resize_image does, the middle cut out, and the mean, warped to the
              input, subtracted

    `whole`: the whole image is the input, as heatmaps need it: it is warped to `size`, and so is a mean image.

    Shapes: (H, W, 3), (H, W, 1) or (H, W) -> (channels, h, w).
    Raises: ShapeError for an image or a mean of other channels, a crop that does not fit, a mean image of another size than the image.
    Source: data_transformer.cpp, io.cpp; python/caffe/io.py, classifier.py
    """
    height, width = size or image.shape[:2]
    blob: Array = crops(image, (channels, height, width), preprocessing, whole=whole or size is None)[0]
    return blob


def crops(
    image: NDArray[Any],
    shape: tuple[int, int, int],
    preprocessing: Preprocessing | None = None,
    count: int = 1,
    *,
    whole: bool = False,
) -> Array:
    """`preprocess` for the middle of an image or, with a `count` of 10, its corners and its middle, then these mirrored.

    Shapes: (H, W, 3) -> (count, *shape).
    """
    done = preprocessing or Preprocessing()
    like = _as_pycaffe if done.convention == PYCAFFE else _as_caffe
    return like(image, shape, done, count, whole)


def _as_caffe(image: NDArray[Any], shape: tuple[int, int, int], done: Preprocessing, count: int, whole: bool) -> Array:
    channels, *sides = shape
    size = sides[0], sides[1]
    x = with_channels(image, channels)
    frame = size
    if not whole:
        frame = done.resize or done.frame or _ten(size, count)
        if done.cut and done.resize is None and done.frame is None:
            frame = x.shape[0], x.shape[1]
    blob = _blob(resize_bytes(x, frame) if x.dtype == np.uint8 else resize(x, frame), done)
    if np.shares_memory(blob, image):
        blob = blob.copy()
    factor = done.raw_scale / RAW if image.dtype == np.uint8 else done.raw_scale
    if factor != 1:
        blob *= np.float32(factor)
    mean = done.mean_for(channels)
    if mean is not None:
        if mean.shape[1:] not in ((1, 1), frame):
            if not whole:
                raise ShapeError(
                    f"a mean image of {mean.shape[1]}x{mean.shape[2]}, and images of {frame[0]}x{frame[1]}",
                    expected="one size for both, as Caffe's data layers want it",
                    fix="warp images to the size of the mean (--resize), or --pixels-as pycaffe, which resizes the mean image",
                )
            mean = _resized(mean, size)
        blob -= mean
    blobs = _cropped(blob.transpose(1, 2, 0), size, count).transpose(0, 3, 1, 2)
    if done.scale != 1:
        blobs = blobs * np.float32(done.scale)
    return np.ascontiguousarray(blobs)


def _as_pycaffe(
    image: NDArray[Any], shape: tuple[int, int, int], done: Preprocessing, count: int, whole: bool
) -> Array:
    channels, *sides = shape
    size = sides[0], sides[1]
    floats = (image / np.float32(RAW) if image.dtype == np.uint8 else np.asarray(image)).astype(np.float32)
    x = with_channels(floats, channels)
    frame = size if whole else done.resize or _ten(size, count)
    if x.shape[:2] != frame:
        x = resize_image(x, frame)
    blobs = np.stack([_blob(crop, done) for crop in _cropped(x, size, count)])
    if done.raw_scale != 1:
        blobs *= np.float32(done.raw_scale)
    mean = done.mean_for(channels)
    if mean is not None:
        if mean.shape[1:] not in ((1, 1), size):
            mean = resize_image(mean.transpose(1, 2, 0), size).transpose(2, 0, 1)
        blobs -= mean
    return blobs * np.float32(done.scale) if done.scale != 1 else blobs


def _ten(size: Size, count: int) -> Size:
    """The size to which an image is warped of which ten crops are taken."""
    return size if count == 1 else (max(OVERSAMPLE_SIZE, size[0]), max(OVERSAMPLE_SIZE, size[1]))


def _cropped(x: NDArray[Any], size: Size, count: int) -> NDArray[Any]:
    return oversample(x, size) if count == 10 else centre_crop(x, size)[None]


def _blob(x: NDArray[Any], done: Preprocessing) -> Array:
    """(H, W, C) in RGB -> (C, H, W) in the net's order."""
    if done.channel_order == "bgr" and x.shape[2] == 3:
        x = x[:, :, ::-1]
    return np.ascontiguousarray(x.transpose(2, 0, 1), np.float32)


def _resized(mean: Array, size: Size) -> Array:
    return resize(mean.transpose(1, 2, 0), size).transpose(2, 0, 1)


def read_pixels(path: str, channels: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """An image for a net of so many channels, RGB or gray: Caffe's data layers leave making gray to the reader of the file.

    Raises: NetsurgeryError if it cannot be read.
    """
    return read_gray(path) if channels == 1 and preprocessing.convention != PYCAFFE else read_image(path)


def deprocess(blob: NDArray[Any], preprocessing: Preprocessing | None = None) -> Array:
    """The image that `preprocess` would make into this blob: image[c] = (blob[c] / scale + mean[c]) / raw_scale, RGB of 0 to 1, cut off
    there.

    Shapes: (C, h, w) -> (h, w, C).
    """
    done = preprocessing or Preprocessing()
    x = np.asarray(blob, np.float32) / np.float32(done.scale)
    mean = done.mean_for(len(x))
    if mean is not None:
        size = x.shape[1], x.shape[2]
        if mean.shape[1:] not in ((1, 1), size):
            if done.convention != PYCAFFE and mean.shape[1] >= size[0] and mean.shape[2] >= size[1]:
                mean = centre_crop(mean.transpose(1, 2, 0), size).transpose(2, 0, 1)
            else:
                mean = _resized(mean, size)
        x = x + mean
    image = (x / np.float32(done.raw_scale)).transpose(1, 2, 0)
    if done.channel_order == "bgr" and len(x) == 3:
        image = image[:, :, ::-1]
    pixels: Array = np.clip(image, 0, 1)
    return pixels


def with_channels(image: NDArray[Any], channels: int) -> NDArray[Any]:
    """The image as (H, W, channels). Color becomes gray as the readers of files do it: bytes as libpng does for OpenCV (0.299 R + 0.587 G
    + 0.114 B in 1/32768, cut off), floats as scikit-image does for caffe.io (0.2125 R + 0.7154 G + 0.0721 B).

    Raises: ShapeError if it can not be.
    """
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
        if x.dtype == np.uint8:
            return ((x.astype(np.int32) @ np.array(LUMA_PARTS, np.int32)) >> 15).astype(np.uint8)[:, :, None]
        gray: NDArray[Any] = (x.astype(np.float32) @ np.array(LINEAR_LUMA, np.float32)).astype(x.dtype)
        return gray[:, :, None]
    raise ShapeError(
        f"an image of {x.shape[2]} channels",
        expected=f"{channels}, as the net's input has" if channels != 3 else "3 or 1",
    )


def centre_crop(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The middle of an image, cut out from floor((H - h) / 2), floor((W - w) / 2), as data_transformer.cpp and pycaffe's Classifier do.

    Raises: ShapeError if the image is smaller. Source: data_transformer.cpp, python/caffe/classifier.py"""
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
    cut = [image[top : top + h, left : left + w] for top, left in corners]
    cut.append(centre_crop(image, size))
    return np.stack(cut + [crop[:, ::-1] for crop in cut])


def _require_room(image: NDArray[Any], size: tuple[int, int]) -> None:
    if image.shape[0] < size[0] or image.shape[1] < size[1]:
        raise ShapeError(
            f"a crop of {size[0]}x{size[1]} from an image of {image.shape[0]}x{image.shape[1]}",
            expected="an image at least as large as the net's input",
            fix="give a larger size to warp the image to first (--resize)",
        )
