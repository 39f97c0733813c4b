"""Images, read one at a time from files and URLs: the one reader of the project."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source
from .pillow import pillow


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """An image file or URL as RGB, turned as its EXIF orientation says; transparency is dropped, 16-bit gray brought to 8 bits.

    Shapes: (H, W, 3), uint8.
    Raises: NetsurgeryError if it cannot be read.
    """
    return _read(path, _as_rgb)


def read_gray(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """An image file or URL as gray, to the last bit as OpenCV's imread makes it, which Caffe's layers call: the Y of a JPEG, libpng's
    weights for a PNG, OpenCV's for others.

    Shapes: (H, W), uint8.
    Raises: NetsurgeryError if it cannot be read.
    """
    return _read(path, _as_gray)


def _read(path: str | os.PathLike[str], convert: Callable[[Any], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    name = os.fspath(path)
    image = pillow("reading images").Image
    try:
        with open_file(name) as file, image.open(file) as opened:
            return convert(opened)
    except FileNotFoundError:
        problem = "there is no such file"
    except image.DecompressionBombError as error:
        problem = f"cannot be read: {error}"
    except image.UnidentifiedImageError:
        problem = "cannot be read: it is no image of a format that Pillow knows, or it is damaged"
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, OverflowError) as error:
        # what Pillow's decoders raise on damaged files
        problem = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise NetsurgeryError(problem, source=Source(name), expected="an image")


_GRAY = {"PNG": (9797, 19234, 3737, 0, 15)}
_GRAY_OTHERS = (4899, 9617, 1868, 8192, 14)


def _as_gray(opened: Any) -> NDArray[np.uint8]:
    if opened.format == "JPEG":
        opened.draft("L", opened.size)
        turned = pillow("reading images").ImageOps.exif_transpose(opened)
        if turned.mode == "L":
            return np.asarray(turned)
    red, green, blue, half, bits = _GRAY.get(opened.format, _GRAY_OTHERS)
    rgb = _as_rgb(opened).astype(np.int32)
    gray: NDArray[Any] = (red * rgb[..., 0] + green * rgb[..., 1] + blue * rgb[..., 2] + half) >> bits
    return gray.astype(np.uint8)


def _as_rgb(opened: Any) -> NDArray[np.uint8]:
    turned = pillow("reading images").ImageOps.exif_transpose(opened)
    if turned.mode in ("I;16", "I;16B", "I;16L", "I"):  # Pillow would cut these off at 255
        wide = np.asarray(turned)
        gray = (np.clip(wide, 0, 65535) / 257).round().astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if turned.mode == "P" and "transparency" in turned.info:
        turned = turned.convert("RGBA")
    return np.asarray(turned.convert("RGB"))


def is_url(path: str) -> bool:
    return "://" in path


def open_file(path: str) -> IO[bytes]:
    """A file or URL, to be read."""
    return io.BytesIO(filesystem_of(path)[0].cat_file(filesystem_of(path)[1])) if is_url(path) else open(path, "rb")


def filesystem_of(url: str) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, and its path there. Raises: NetsurgeryError."""
    try:
        import fsspec
    except ImportError:
        raise NetsurgeryError(
            f"{url} is a URL, which needs the package fsspec", fix="pip install 'netsurgery[cluster]'"
        ) from None
    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise NetsurgeryError(
            f"cannot be opened: {error}", source=Source(url), expected="a URL that fsspec knows"
        ) from None
    return filesystem, path
