"""Where the positions of a map lie on an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ShapeError
from ..net import Net
from ..receptive_field import Geometry
from .resize import Array, sample

POSITIONS = (1, 2, 4, 8)
"""How many positions along the short side the sizes give that are taken if none are asked for."""


@dataclass(frozen=True)
class Axis:
    """Where the positions of a blob lie along an axis of the input: position i has its middle at pixel first + stride * i (None: each
    sees everything). `smallest` is the least input size that gives a position; `sides` the sizes for POSITIONS."""

    stride: float
    first: float | None
    declared: int
    smallest: int
    sides: tuple[int | None, ...]

    def places(self, count: int, size: int) -> NDArray[np.float64]:
        """The middles of `count` positions as shares of the image, 0 at its one edge and 1 at the other."""
        first = self._first(count, size)
        return np.asarray((first + self.stride * np.arange(count) + 0.5) / size)

    def positions(self, places: NDArray[np.float64], count: int, size: int) -> NDArray[np.float64]:
        """The other way round: fractional positions at shares of the image."""
        return np.asarray((places * size - 0.5 - self._first(count, size)) / self.stride)

    def _first(self, count: int, size: int) -> float:
        return self.first if self.first is not None else (size - 1 - self.stride * (count - 1)) / 2


def axis_of(net: Net, field: Geometry, axis: int) -> Axis:
    stride = field.stride[axis]
    if stride is None:
        raise ShapeError(
            f"blob '{field.blob}' is no map: it has one answer for the whole image, whatever its size",
            source=net.source,
            expected="a blob whose positions look at parts of the image",
            fix="let the pooling of the whole map slide (--sliding-pool), or name a blob before it (--output)",
        )
    sides = [field.size_for(count)[axis] for count in POSITIONS]
    smallest = field.sizes(1)[axis]
    first = field.centre(0, 0)[axis]
    return Axis(
        float(stride),
        first,
        field.declared[axis],
        smallest[0] if smallest else 1,
        tuple(sides),
    )


def smoothed(x: Array, sigma: float) -> Array:
    """x blurred by a Gaussian of that sigma, cut off at 4 sigma; beyond its edges x goes on mirrored.

    Shapes: (H, W) -> (H, W)."""
    if sigma <= 0:
        return x
    reach = max(1, int(4 * sigma + 0.5))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for _ in range(2):  # along the rows, then, turned, along the columns
        wide = np.pad(x, [(reach, reach), (0, 0)], mode="symmetric")
        x = sum((k * wide[i : i + len(x)] for i, k in enumerate(kernel)), np.zeros_like(x)).T
    return np.ascontiguousarray(x)


def sample_maps(maps: Array, rows: NDArray[Any], columns: NDArray[Any]) -> Array:
    """`sample` on the last two axes."""
    if maps.ndim == 2:
        return sample(maps, rows, columns)
    return np.moveaxis(sample(np.moveaxis(maps, 0, 2), rows, columns), 2, 0)
