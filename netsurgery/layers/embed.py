"""Embed: a row of a table for each index."""

from typing import ClassVar

import numpy as np

from .core import Arrays, LayerType, Op, Params, Rng, Sample, ShapeError, Shapes, Sizes, Tensors, near


class Embed(LayerType):
    """y = W[int(x)] + b

    Shapes: (d0, ..) -> (d0, .., num_output); W (input_dim, num_output), b (num_output).
    Source: embed_layer.cpp
    """

    types: ClassVar[tuple[str, ...]] = ("Embed",)
    mixes = "puts an axis behind the positions"
    note = "a last axis of 1 gives way in nets with ROIPooling (bottom-up-attention) or with that dialect"

    def read(self, p: Params) -> None:
        q = p.message("embed_param")
        self.num_output, self.input_dim = q.get_positive("num_output", 0), q.get_positive("input_dim", 0)
        self.bias_term = q.get_bool("bias_term")
        self.fillers = q.filler("weight_filler"), q.filler("bias_filler")

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [(self.input_dim, self.num_output), (self.num_output,)][: 1 + self.bias_term]

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        return [near(0, shape, rng, spread) for shape, spread in zip(shapes, (1.0, 0.1), strict=False)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        return [(*bottoms[0], self.num_output)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        index = bottoms[0].astype(np.int64)
        if index.size and not 0 <= index.min() <= index.max() < self.input_dim:
            raise ShapeError(
                f"indices from {index.min()} to {index.max()}", layer=self, expected=f"0 to {self.input_dim - 1}"
            )
        y = weights[0][index]
        return [y + weights[1] if self.bias_term else y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        y = op("Gather", op.weight(weights[0], "weight"), op("Cast", bottoms[0], to=7), axis=0)
        return [op("Add", y, op.weight(weights[1], "bias")) if self.bias_term else y]

    def sample(self, index: int, shapes: Sizes, rng: Rng) -> Sample:
        return rng.integers(0, self.input_dim, shapes[0])


class EmbedLastAxis(Embed):
    """Embed, whose top takes the place of a last axis of 1.

    Shapes: (d0, .., 1) -> (d0, .., num_output); other shapes as Embed.
    Source: embed_layer.cpp of bottom-up-attention
    """

    types = ()

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        return [(*x[:-1], self.num_output)] if x[-1] == 1 else super().shapes(bottoms)

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        return super().forward([x[..., 0] if x.shape[-1] == 1 else x], weights)

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        return super().emit(op, [op("Squeeze", x, op.ints(-1)) if x.shape[-1] == 1 else x], weights)

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        last = len(x.shape) - 1
        return super().emit_caffe2(op, [op("Squeeze", x, dims=(last,)) if x.shape[-1] == 1 else x], weights)
