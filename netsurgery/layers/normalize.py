"""Normalize: vectors brought to length 1, over the channels or over channels and positions."""

import numpy as np

from .core import (
    WHOLE,
    Array,
    Arrays,
    LayerType,
    Message,
    Op,
    Params,
    Reaches,
    ShapeError,
    Shapes,
    Tensor,
    Tensors,
    with_field,
)
from .shared.emission import magnitude, shifted, with_four_axes


class Normalize(LayerType):
    """SSD's layer: y = scale[c] x / sqrt(sum x^2 + eps), summed over the channels, with `across_spatial` over each whole item.

    Happynear's layer of the same name (known by `normalize_param`, or by having neither `norm_param` nor a blob), over the channels:
    y = x / norm, norm = sqrt(sum x^2 + 1e-6) (L2) or sum |x| + 1e-6 (L1); a second top is norm.

    Shapes: SSD: (N, C, ..), up to 4 axes; blob (C), or () with `channel_shared`.
        Happynear: up to 4 axes -> (N, C, H, W); norm (N, 1, H, W).
    Source: normalize_layer.cpp of weiliu89/caffe@ssd; of happynear/caffe-windows
    """

    types = ("Normalize",)
    tops = (1, 2)
    in_place = True
    scope = "channels"
    note = "SSD's and happynear's, told apart by norm_param, normalize_param and the number of blobs"

    def read(self, p: Params) -> None:
        self.learned = p.has("norm_param") or (self.blob_count > 0 and not p.has("normalize_param"))
        if self.learned:
            q = p.message("norm_param")
            self.across_spatial = q.get_bool("across_spatial")
            self.channel_shared = q.get_bool("channel_shared")
            self.eps = q.get_float("eps")
            self.l1 = False
            self.fillers = (q.filler("scale_filler", 1.0),)
            q.ignore("fix_scale", why="it steers training")
        else:
            q = p.message("normalize_param")
            kind = q.get_str("normalize_type")
            if kind not in ("L1", "L2"):
                raise q.refuse("normalize_type", f"normalize_type is {kind}", expected="L1 or L2")
            q.ignore("fix_gradient", "bp_norm", why="they steer gradients")
            self.across_spatial, self.eps, self.l1 = False, 1e-6, kind == "L1"

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        if not self.learned:
            return []
        return [()] if self.channel_shared else [(bottoms[0][1],)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        least = 2 if self.learned else 1
        if not least <= len(x) <= 4:
            raise ShapeError(f"the bottom has {len(x)} axes", layer=self, expected=f"{least} to 4")
        if self.learned:
            return [x]
        n, c, h, w = x + (1,) * (4 - len(x))
        return [(n, c, h, w), (n, 1, h, w)]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        if not self.learned:
            x = x.reshape(x.shape + (1,) * (4 - x.ndim))
        axes = tuple(range(1, x.ndim)) if self.across_spatial else 1
        eps = x.dtype.type(self.eps)
        if self.l1:
            norm = np.abs(x).sum(axis=axes, keepdims=True) + eps
        else:
            norm = np.sqrt((x * x).sum(axis=axes, keepdims=True) + eps)
        if not self.learned:
            return [x / norm, norm]
        return [x / norm * weights[0].reshape(-1, *(1,) * (x.ndim - 2))]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        rank = len(bottoms[0].shape)
        channels = bottoms[0].shape[1] if rank > 2 else None
        if self.learned and not self.across_spatial and isinstance(channels, int) and not op.plain:
            return [self._emit_product(op, bottoms[0], channels, weights[0])]
        x = bottoms[0] if self.learned else with_four_axes(op, bottoms[0])
        axes = range(1, rank) if self.across_spatial else [1]
        total = magnitude(op, x, axes, power=1 if self.l1 else 2, keep=True)
        norm = shifted(op, total, self.eps)
        if not self.l1:
            norm = op("Sqrt", norm)
        y = op("Div", x, norm)
        if not self.learned:
            return [y, norm]
        behind = () if self.channel_shared else (1,) * (rank - 2)
        return [op("Mul", y, op.weight(weights[0].reshape(-1, *behind), "scale"))]

    def _emit_product(self, op: Op, x: Tensor, channels: int, scale: Array) -> Tensor:
        """Each item as a matrix (C, positions), whose squares a row of ones sums: by measurement ReduceSum over the channels of a single
        item makes the layer take 1.6 to 9 times as long."""
        rows = op.reshape(x, 0, channels, -1)
        total = op("MatMul", op.const(np.ones((1, channels))), op.square(rows))
        y = op("Div", rows, op("Sqrt", shifted(op, total, self.eps)))
        scale = scale.reshape(-1, *() if self.channel_shared else (1,))
        return op("Reshape", op("Mul", y, op.weight(scale, "scale")), op("Shape", x))

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[WHOLE] * (len(bottoms[0]) - 2)] if self.across_spatial else super().reach(bottoms)

    def per_position(self, params: Message, bottoms: Shapes) -> Message:
        if not self.across_spatial:
            return params
        return with_field(params, "norm_param", "across_spatial", False)
