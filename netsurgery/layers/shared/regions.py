"""What layers share that pool regions: their bottoms, and C's way to round."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..core import Arrays, LayerType, NetsurgeryError, Params, Rng, Sample, Shape, Shapes, Sizes, product


class Regions(LayerType):
    """A layer with bottoms x (N, C, H, W) and rois (R, 5), each (item, x1, y1, x2, y2) in pixels of the image."""

    bottoms = (2, 2)
    choices = (0,)
    scale: float

    def bottom_shape(self, index: int, bottoms: Sequence[Shape | None]) -> Shape | None:
        return (1, 5) if index == 1 else None

    def check(self, bottoms: Shapes) -> None:
        """Raises: ShapeError unless the bottoms are x and rois."""
        x, rois = bottoms
        self.rank(x, 4, "bottom 0")
        if len(rois) < 2:
            self.rank(rois, 2, "bottom 1")
        self.require(product(rois[1:]), 5, "numbers per roi (bottom 1)")

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        if index != 1:
            return None
        height, width = (n / self.scale for n in shapes[0][2:])
        count = prod(shapes[1]) // 5
        corners = np.sort(rng.uniform(0, 1, (count, 2, 2)), axis=1) * [width, height]
        items = rng.integers(0, shapes[0][0], (count, 1))
        return np.concatenate([items, corners.reshape(-1, 4)], axis=1).reshape(shapes[1])

    def rois(self, bottoms: Arrays) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The rois (R, 5), in float32 as they decide which pixels count, and their items.

        Raises: NetsurgeryError for an item that is not there.
        """
        rois = bottoms[1].reshape(-1, 5).astype(np.float32)
        items = rois[:, 0].astype(np.int64)
        if items.size and (items.min() < 0 or items.max() >= len(bottoms[0])):
            raise NetsurgeryError(
                f"a roi of item {items.min() if items.min() < 0 else items.max()}",
                layer=self,
                expected=f"0 to {len(bottoms[0]) - 1}: the items of bottom 0",
            )
        return rois, items


class PositionSensitive(Regions):
    """R-FCN's: of output_dim g g maps, g = group_size, map (k g + i) g + j is for bin (i, j) of a g x g grid over each region."""

    def read_maps(self, q: Params) -> None:
        self.scale = q.get_float("spatial_scale")
        self.outputs, self.group = q.get_positive("output_dim"), q.get_positive("group_size")

    def shapes(self, bottoms: Shapes) -> Shapes:
        self.check(bottoms)
        x, rois = bottoms
        self.require(x[1], self.outputs * self.group**2, "channels, output_dim times group_size squared being expected")
        return [(rois[0], self.outputs, self.group, self.group)]


def round_half_away(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """C's round: halves go away from zero."""
    whole = np.trunc(x)
    return np.where(np.abs(x - whole) >= 0.5, whole + np.sign(x), whole)
