"""Pictures of what saliency and Grad-CAM found, and the numbers as files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source
from ..files.output import replacing
from .figures import map_figure
from .overlay import overlay, shades
from .saliency import Evidence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 99.5
"""The percentile of a map that is drawn brightest: a few pixels may have far greater gradients than all others."""


def evidence_figure(evidence: Evidence, what: str, unit: str = "") -> Figure:
    """The map over its image, from 0, with a bar; what was done, and for which class, in the title.

    `unit` names the bar's numbers ("": the derivative).

    Raises: NetsurgeryError without matplotlib (extra `vision`)."""
    high = float(np.percentile(evidence.map, TOP)) or float(evidence.map.max()) or 1.0
    title = f"{what}: {evidence.unit} {evidence.label}".rstrip() + f", score {evidence.score:.3g}"
    picture = overlay(evidence.image, evidence.map, low=0.0, high=high, colormap="magma")
    size = evidence.image.shape[0], evidence.image.shape[1]
    return map_figure(
        picture, size, 0.0, high, shades("magma"), title=title, unit=unit or f"|d {evidence.unit} / d {evidence.blob}|"
    )


def write_array(path: str | os.PathLike[str], values: NDArray[Any]) -> None:
    """Writes an array to FILE.npy. Raises: NetsurgeryError for another ending, or if it cannot be written."""
    if not os.fspath(path).endswith(".npy"):
        raise NetsurgeryError("an array", source=Source(os.fspath(path)), expected="a file that ends in .npy")
    with replacing(path) as out:
        np.save(out, values)
