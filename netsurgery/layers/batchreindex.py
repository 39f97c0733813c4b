"""BatchReindex: items picked by index."""

import numpy as np

from .core import SAME, Arrays, LayerType, Op, Reaches, Rng, Sample, ShapeError, Shapes, Sizes, Tensors


class BatchReindex(LayerType):
    """y[i] = x[int(index[i])]

    Shapes: x (N, ..), index (M) -> (M, ..).
    Source: batch_reindex_layer.cpp
    """

    types = ("BatchReindex",)
    bottoms = (2, 2)
    mixes = "picks items of the batch"

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, index = bottoms
        self.rank(index, 1, "the second bottom")
        self.axis(0, len(x))
        return [(index[0], *x[1:])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, index = bottoms
        if index.size and (index.min() < 0 or index.max() >= len(x)):
            raise ShapeError(f"indices from {index.min()} to {index.max()}", layer=self, expected=f"0 to {len(x) - 1}")
        return [x[index.astype(np.int64)]]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, index = bottoms
        return [op("Gather", x, op("Cast", index, to=7), axis=0)]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[SAME] * (len(bottoms[0]) - 2), ()]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, shapes[0][0], shapes[1]) if index == 1 else None
