"""Pillow, which images and pictures need: imported when it is first used."""

from __future__ import annotations

from typing import Any

from ..limits import Limits, limits
from .boundary import package


def pillow(what: str) -> Any:
    """The module PIL, with Image, ImageDraw, ImageFont, ImageOps and PngImagePlugin. Raises: NetsurgeryError if it is not installed."""
    with package(f"{what} needs the package Pillow", "netsurgery[vision]"):
        import PIL
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
        import PIL.ImageOps
        import PIL.PngImagePlugin
    if limits().pixels != Limits.pixels:  # who lifts the limit lifts Pillow's own
        PIL.Image.MAX_IMAGE_PIXELS = limits().pixels
    return PIL
