"""Image files as caffe.io.load_image gave them: through Pillow, in the way of scikit-image 0.14."""

from __future__ import annotations

import io
import os
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..files.boundary import package
from ..files.urls import read_url
from ..formats.preprocessing import LINEAR_LUMA

ImagePath = str | os.PathLike[str] | IO[bytes]


def read(filename: ImagePath, *, gray: bool) -> NDArray[np.float64]:
    """The pixels of a file, an open file or a URL as floats of 0 to 1; EXIF's orientation is not looked at.

    Palettes become colours, and what has transparency becomes RGBA, gray pictures too. gray: colours become
    0.2125 R + 0.7154 G + 0.0721 B, transparency is dropped.

    Shapes: (H, W), (H, W, 3) or (H, W, 4).
    Raises: OSError for what is not there or no image; NetsurgeryError without Pillow; ValueError for floats beyond 1.
    """
    with package("reading images needs the package Pillow", "netsurgery[pycaffe]"):
        from PIL import Image
    source: Any = filename
    if isinstance(filename, str) and filename.startswith(("http://", "https://")):
        source = io.BytesIO(read_url(filename))
    with Image.open(source) as opened:
        pixels = _as_floats(_pixels(opened))
    return pixels[..., :3] @ np.array(LINEAR_LUMA) if gray and pixels.ndim == 3 else pixels


def _pixels(image: Any) -> NDArray[Any]:
    if image.mode.startswith("I;16"):
        wide: NDArray[Any] = np.asarray(image).astype(np.uint16)
        return wide
    if image.mode in ("L", "I", "F", "RGB", "RGBA"):
        return np.asarray(image)
    if image.mode == "P":
        mode = "RGBA" if image.format == "PNG" and "transparency" in image.info else "RGB"
    elif image.mode == "1":
        mode = "L"
    else:
        mode = "RGBA" if "A" in image.mode and image.mode != "LAB" else "RGB"
    return np.asarray(image.convert(mode))


def _as_floats(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Whole numbers by the largest that their type has: 255, 65535, 2^31 - 1."""
    if pixels.dtype.kind == "f":
        if pixels.size and (pixels.min() < -1 or pixels.max() > 1):
            raise ValueError("an image of floats must have values of -1 to 1")
        return pixels.astype(np.float64)
    return np.maximum(pixels / np.float64(np.iinfo(pixels.dtype).max), -1.0)
