"""ChannelScale: every position of a map multiplied by its own factor, all channels alike; or all of it by one learned factor."""

from .core import Arrays, Filler, LayerType, Op, Params, Rng, ShapeError, Shapes, Sizes, Tensors, near, product


class ChannelScale(LayerType):
    """y[n, c, i, j] = x[n, c, i, j] s[n, i, j]. With `global_scale` y = g x, g the blob kept within `min_global_scale` and
    `max_global_scale`, and a second top is g; with `do_forward: false` y = x. In both s is not used.

    Shapes: x (N, C, H, W), axes behind C may be missing; s (N, 1, H, W), or any shape of as many numbers; blob and second top (1).
    Source: channel_scale_layer.cpp of happynear/caffe-windows
    """

    types = ("ChannelScale",)
    bottoms = (2, 2)
    tops = (1, 2)
    in_place = True
    scope = "channels"

    def read(self, p: Params) -> None:
        q = p.message("channel_scale_param")
        self.do_forward, self.global_scale = q.get_bool("do_forward"), q.get_bool("global_scale")
        self.least, self.most = q.get_float("min_global_scale"), q.get_float("max_global_scale")
        q.ignore("do_backward_feature", "do_backward_scale", "init_global_scale", why="they steer training")
        self.fillers = (Filler(value=-1.0),)
        if self.top_count == 2 and not self.do_forward:
            raise q.refuse(
                "do_forward", "do_forward: false with a second top, which Caffe leaves unset", expected="one top"
            )

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        return [(1,)] if self.global_scale else []

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        return [near(1, shape, rng) for shape in shapes]

    def shapes(self, bottoms: Shapes) -> Shapes:
        x, s = bottoms
        if not 2 <= len(x) <= 4 or not s:
            raise ShapeError(
                f"bottoms of {len(x)} and {len(s)} axes", layer=self, expected="(N, C, H, W) and (N, 1, H, W)"
            )
        if len(s) in (len(x), len(x) - 1):
            self.require_alike(s, (x[0], *((1,) if len(s) == len(x) else ()), *x[2:]), "the second bottom")
        else:
            self.require(s[0], x[0], "axis 0 of the second bottom")
            self.require(product(s), x[0] * product(x[2:]), "count of the second bottom")
        return [x, (1,)][: 1 + self.global_scale]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        x, s = bottoms
        if not self.do_forward:
            return [x]
        if self.global_scale:
            factor = weights[0].clip(x.dtype.type(self.least), x.dtype.type(self.most))
            return [x * factor, factor]
        return [x * s.reshape(x.shape[0], 1, *x.shape[2:])]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        x, s = bottoms
        if not self.do_forward:
            return [x]
        if self.global_scale:
            factor = op.const([max(min(float(weights[0][0]), self.most), self.least)])
            return [op("Mul", x, factor), factor]
        if len(s.shape) != len(x.shape):
            s = op.reshape(s, op.size(x, 0), 1, *(op.size(x, i) for i in range(2, len(x.shape))))
        return [op("Mul", x, s)]
