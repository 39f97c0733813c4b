"""Pictures of what saliency and Grad-CAM found, and the numbers as files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source
from ..files.output import replacing
from .overlay import overlay
from .picture import Picture
from .saliency import Evidence

TOP = 99.5
"""The percentile of a map that is drawn brightest: a few pixels may have far greater gradients than all others."""


def picture(found: Evidence, what: str) -> Picture:
    """The map over its image, from 0, with the class and what was done as title."""
    high = float(np.percentile(found.map, TOP)) or float(found.map.max()) or 1.0
    title = f"{what}, {found.unit} {found.label}".rstrip()
    return overlay(found.image, found.map, low=0.0, high=high, colormap="magma", title=title)


def write_array(path: str | os.PathLike[str], values: NDArray[Any]) -> None:
    """Writes an array to FILE.npy. Raises: NetsurgeryError for another ending, or if it cannot be written."""
    if not os.fspath(path).endswith(".npy"):
        raise NetsurgeryError("an array", source=Source(os.fspath(path)), expected="a file that ends in .npy")
    with replacing(path) as out:
        np.save(out, values)
