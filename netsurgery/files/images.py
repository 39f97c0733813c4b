"""Images, read one at a time from files and URLs: the one reader of the project."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..aliases import StrPath
from ..errors import NetsurgeryError, Source
from ..limits import lift, limits
from .boundary import open_file as open_regular
from .boundary import reading
from .pillow import pillow
from .urls import is_url, read_url


def read_image(path: StrPath) -> NDArray[np.uint8]:
    """An image file or URL as RGB, turned as its EXIF orientation says; transparency is dropped, 16-bit gray brought to 8 bits.

    Shapes: (H, W, 3), uint8.
    Raises: NetsurgeryError if it cannot be read.
    """
    return _read(path, _as_rgb)


def read_gray(path: StrPath) -> NDArray[np.uint8]:
    """An image file or URL as gray, to the last bit as OpenCV's imread makes it, which Caffe's layers call: the Y of a JPEG, libpng's
    weights for a PNG, OpenCV's for others.

    Shapes: (H, W), uint8.
    Raises: NetsurgeryError if it cannot be read.
    """
    return _read(path, _as_gray)


def _read(path: StrPath, convert: Callable[[Any], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    name = os.fspath(path)
    pillow("reading images")
    with open_file(name) as file, reading(name, "an image", error=NetsurgeryError):
        held = io.BytesIO(file.read())  # a decoder that is told of 4 GB in it gets what there is
    return decode(held, Source(name), convert)


def decode(
    file: IO[bytes], source: Source, convert: Callable[[Any], NDArray[np.uint8]], expected: str = "an image"
) -> NDArray[np.uint8]:
    """What `convert` makes of a picture, opened by Pillow. Raises: NetsurgeryError if it is none, or larger than the limits let it."""
    image = pillow("reading images").Image
    with reading(source, expected, error=NetsurgeryError), ExitStack() as stack:
        try:
            with _HEADERS, warnings.catch_warnings():
                warnings.simplefilter("error", image.DecompressionBombWarning)
                opened = stack.enter_context(image.open(file))
        except image.UnidentifiedImageError:
            raise NetsurgeryError(
                "cannot be read: it is no image of a format that Pillow knows, or it is damaged",
                source=source,
                expected=expected,
            ) from None
        except (image.DecompressionBombError, image.DecompressionBombWarning):
            raise _too_large(source) from None
        if opened.width * opened.height > limits().pixels:
            raise _too_large(source)
        return convert(opened)


_HEADERS = Lock()
"""Filters of warnings are those of all threads."""


def _too_large(source: Source) -> NetsurgeryError:
    return NetsurgeryError(
        "is an image of too many pixels",
        source=source,
        expected=f"at most {limits().pixels} pixels",
        fix=lift("pixels"),
    )


_GRAY = {"PNG": (9797, 19234, 3737, 0, 15)}
_GRAY_OTHERS = (4899, 9617, 1868, 8192, 14)
_PART = 1 << 17
"""Pixels that are weighed at once: as many as stay in a processor's cache."""


def _as_gray(opened: Any) -> NDArray[np.uint8]:
    if opened.format == "JPEG":
        opened.draft("L", opened.size)
        turned = pillow("reading images").ImageOps.exif_transpose(opened)
        if turned.mode == "L":
            return np.asarray(turned)
    red, green, blue, half, bits = _GRAY.get(opened.format, _GRAY_OTHERS)
    rgb = _as_rgb(opened)
    gray = np.empty(rgb.shape[:2], np.uint8)
    rows = max(1, _PART // max(1, rgb.shape[1]))
    for start in range(0, len(rgb), rows):
        part = rgb[start : start + rows].astype(np.int32)
        gray[start : start + rows] = (red * part[..., 0] + green * part[..., 1] + blue * part[..., 2] + half) >> bits
    return gray


def _as_rgb(opened: Any) -> NDArray[np.uint8]:
    turned = pillow("reading images").ImageOps.exif_transpose(opened)
    if turned.mode in ("I;16", "I;16B", "I;16L", "I"):  # Pillow would cut these off at 255
        wide = np.asarray(turned)
        gray = (np.clip(wide, 0, 65535) / 257).round().astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if turned.mode == "P" and "transparency" in turned.info:
        turned = turned.convert("RGBA")
    return np.asarray(turned.convert("RGB"))


def open_file(path: str) -> IO[bytes]:
    """A file or URL, to be read. Raises: NetsurgeryError."""
    if is_url(path):
        return io.BytesIO(read_url(path))
    if not os.path.lexists(path):
        raise NetsurgeryError("there is no such file", source=Source(path), expected="an image")
    return open_regular(path, "an image", NetsurgeryError)
