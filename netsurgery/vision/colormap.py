"""Colour maps: numbers of 0 to 1 as colours, equal steps looking equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError

# Every fifth of the 256 colours; between two of them colours are interpolated (off by less than 1 of 255).
# Source: viridis and magma by Stefan van der Walt, Nathaniel Smith and Eric Firing, released as CC0 (bids.github.io/colormap)
_ANCHORS = {
    "viridis": """
        440154 46085c 471063 481769 481d6f 482475 472a7a 46307e 453781 433d84 414287 3f4889 3d4e8a
        3a538b 38598c 355e8d 33638d 31688e 2e6d8e 2c718e 2a768e 297b8e 27808e 25848e 23898e 218e8d
        20928c 1f978b 1e9c89 1fa188 21a585 24aa83 28ae80 2eb37c 35b779 3dbc74 46c06f 50c46a 5ac864
        65cb5e 70cf57 7cd250 89d548 95d840 a2da37 b0dd2f bddf26 cae11f d8e219 e5e419 f1e51d fde725
    """,
    "magma": """
        000004 02020b 050416 090720 0e0b2b 140e36 1a1042 21114e 29115a 311165 390f6e 420f75 4a1079
        52137c 5a167e 621980 6a1c81 721f81 792282 812581 892881 912b81 992d80 a1307e aa337d b2357b
        ba3878 c23b75 ca3e72 d2426f d9466b e04c67 e75263 ec5860 f1605d f4695c f7725c f97b5d fb8560
        fc8e64 fd9869 fea16e feaa74 feb47b febd82 fec68a fecf92 fed89a fde2a3 fdebac fcf4b6 fcfdbf
    """,
    "gray": "000000" + "ffffff",
}

NAMES = tuple(_ANCHORS)


def colours(values: NDArray[Any], name: str = "viridis") -> NDArray[np.uint8]:
    """The colours of values from 0 to 1; what lies outside has the colour of the nearest end, NaN is gray.

    Shapes: (...) -> (..., 3), uint8.
    Raises: NetsurgeryError for a name that is not in NAMES.
    """
    if name not in _ANCHORS:
        raise NetsurgeryError(f"there is no colour map '{name}'", expected=" or ".join(NAMES))
    anchors = np.frombuffer(bytes.fromhex("".join(_ANCHORS[name].split())), np.uint8).reshape(-1, 3).astype(np.float32)
    at = np.linspace(0, 1, len(anchors), dtype=np.float32)
    table = np.stack([np.interp(np.linspace(0, 1, 1024), at, anchors[:, c]) for c in range(3)], axis=1)
    x = np.asarray(values, np.float32)
    index = np.clip(np.nan_to_num(x) * 1023 + 0.5, 0, 1023).astype(np.intp)
    pixels: NDArray[np.uint8] = np.floor(table + 0.5).astype(np.uint8)[index]
    pixels[np.isnan(x)] = 128
    return pixels
