"""Tile: copies of a blob along an axis."""

import numpy as np

from .core import NOWHERE, Arrays, LayerType, Message, Op, Params, Reaches, Shapes, Tensors


class Tile(LayerType):
    """y = x, x, ... (`tiles` times) along `axis` (1).

    Shapes: as the bottom's, the axis times `tiles`.
    Source: tile_layer.cpp
    """

    types = ("Tile",)
    gives_features = True
    scope = "channels"

    def read(self, p: Params) -> None:
        q = p.message("tile_param")
        self.along = q.get_int("axis")
        self.tiles = q.get_int("tiles", 0)
        if self.tiles < 1:
            raise q.refuse("tiles", f"tiles is {self.tiles or 'not set'}", expected="a positive number")

    def _repeats(self, rank: int) -> list[int]:
        axis = self.axis(self.along, rank)
        return [self.tiles if i == axis else 1 for i in range(rank)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        return [tuple(n * times for n, times in zip(x, self._repeats(len(x)), strict=True))]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return [np.tile(x, self._repeats(x.ndim))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [x] if self.tiles == 1 else [op("Tile", x, op.ints(self._repeats(len(x.shape))))]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return [x] if self.tiles == 1 else [op("Tile", x, tiles=self.tiles, axis=self.axis(self.along, len(x.shape)))]

    def reach(self, bottoms: Shapes) -> Reaches:
        return self.reach_but(bottoms, self.along, NOWHERE)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        return self.over_channels(params, "tile_param", self.along, len(bottoms[0]))
