"""Combination: maps laid on one larger map, each at its place."""

import numpy as np

from .caffe2.operators import like, pad_image, refuse
from .core import Arrays, LayerType, Op, Params, ShapeError, Shapes, Tensor, Tensors


class Combination(LayerType):
    """y[:, :, ycoord_k : ycoord_k + height of x_k, xcoord_k : ..] = x_k, of several at one place the last one; 0 where there is none.

    Shapes: (N, C, H_k, W_k) each -> (N, C, last ycoord + height of the last, last xcoord + width of the last).
    Source: combination_layer.cpp of JAANet
    """

    types = ("Combination",)
    bottoms = (1, None)

    def read(self, p: Params) -> None:
        q = p.message("combination_param")
        self.corners = list(zip(q.get_ints("ycoord"), q.get_ints("xcoord"), strict=False))[: self.bottom_count]
        if len(self.corners) < self.bottom_count:
            raise q.refuse(
                "ycoord",
                f"{len(self.corners)} pairs of ycoord and xcoord for {self.bottom_count} bottoms",
                expected="a pair for each bottom",
            )

    def shapes(self, bottoms: Shapes) -> Shapes:
        first = bottoms[0]
        size = [at + n for at, n in zip(self.corners[-1], bottoms[-1][2:], strict=True)]
        for i, (x, corner) in enumerate(zip(bottoms, self.corners, strict=True)):
            self.rank(x, 4, f"bottom {i}")
            self.require(x[0], first[0], f"items of bottom {i}")
            self.require(x[1], first[1], f"channels of bottom {i}")
            for n, at, whole in zip(x[2:], corner, size, strict=True):
                if isinstance(n, int) and isinstance(whole, int) and at + n > whole:
                    raise ShapeError(
                        f"bottom {i}: {n} from {at} on, the top has {whole}",
                        layer=self,
                        expected="a last bottom that ends behind all others",
                    )
        return [(*first[:2], *size)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        size = [at + n for at, n in zip(self.corners[-1], bottoms[-1].shape[2:], strict=True)]
        y = np.zeros((*bottoms[0].shape[:2], *size), bottoms[0].dtype)
        for x, (top, left) in zip(bottoms, self.corners, strict=True):
            y[:, :, top : top + x.shape[2], left : left + x.shape[3]] = x
        return [y]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        sides = [op("Add", op.size(bottoms[-1], 2 + i), op.ints(at)) for i, at in enumerate(self.corners[-1])]
        y: Tensor | None = None
        for x, corner in zip(bottoms, self.corners, strict=True):
            behind = [
                op("Sub", op("Sub", side, op.size(x, 2 + i)), op.ints(at))
                for i, (side, at) in enumerate(zip(sides, corner, strict=True))
            ]
            pads = op.ints(0, 0, corner, 0, 0, *behind)
            laid = op("Pad", x, pads, op.const(0.0))
            if y is None:
                y = laid
                continue
            here = op(
                "Pad", op("Expand", op.const(1.0), op.ints(1, 1, op.size(x, 2), op.size(x, 3))), pads, op.const(0.0)
            )
            y = op("Where", op("Greater", here, op.const(0.0)), laid, y)
        assert y is not None
        return [y]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        sides = [at + op.number(n) for at, n in zip(self.corners[-1], bottoms[-1].shape[2:], strict=True)]
        y: Tensor | None = None
        for x, (top, left) in zip(bottoms, self.corners, strict=True):
            h, w = (op.number(n) for n in x.shape[2:])
            border = (top, left, sides[0] - top - h, sides[1] - left - w)
            laid = pad_image(op, x, *border)
            if y is None:
                y = laid
                continue
            here = pad_image(op, like(op, x, 1.0), *border)
            y = op("Where", op("GT", here, op.const(0.0)), laid, y)
        if y is None:
            raise refuse(self, "there is no bottom")
        return [y]
