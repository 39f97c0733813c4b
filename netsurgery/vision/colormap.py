"""Colour maps: numbers of 0 to 1 as colours, equal steps looking equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from .figures import require_matplotlib

NAMES = ("viridis", "magma", "gray")


def colours(values: NDArray[Any], name: str = "viridis") -> NDArray[np.uint8]:
    """The colours of values from 0 to 1; what lies outside has the colour of the nearest end, NaN is gray.

    Shapes: (...) -> (..., 3), uint8.
    Raises: NetsurgeryError for a name that is not in NAMES, or without matplotlib (extra `vision`).
    """
    if name not in NAMES:
        raise NetsurgeryError(f"there is no colour map '{name}'", expected=" or ".join(NAMES))
    table = (require_matplotlib("colour maps").colormaps[name](np.arange(256))[:, :3] * 255 + 0.5).astype(np.uint8)
    x = np.asarray(values, np.float32)
    pixels: NDArray[np.uint8] = table[np.clip(np.nan_to_num(x) * 255 + 0.5, 0, 255).astype(np.intp)]
    pixels[np.isnan(x)] = 128
    return pixels
