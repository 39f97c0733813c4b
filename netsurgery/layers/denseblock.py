"""DenseBlock: a whole block of a DenseNet as one layer."""

from math import prod

import numpy as np

from .caffe2.operators import conv
from .core import Array, Arrays, Filler, LayerType, Op, Params, Reach, Reaches, Shape, Shapes, Size, Tensor, Tensors
from .core.aliases import Rng, Sizes
from .core.dims import product
from .core.fillers import he_normal, near
from .shared.along import emit_scaled
from .shared.convolve import convolve
from .shared.windows import Windows

EPS = 1e-5
MAX_SIZE = 1000
"""No block has more steps, or grows by more channels."""
_SAME = Windows((3, 3), (1, 1), (1, 1), (1, 1))
_POINT = Windows((1, 1), (1, 1), (0, 0), (1, 1))


class DenseBlock(LayerType):
    """x_(t+1) = (x_t, F_t * relu(bn_t(x_t))), joined along the channels, for t < numTransition; x_0 is the bottom, the top the last.

    F * z is a true convolution: 3x3, pad 1, the kernel turned by 180 degrees. With `use_BC` a 1x1 convolution, bn and relu come before it.
    bn(v) = scale (v - mean f) / sqrt(variance f + 1e-5) + bias; f = 1 / factor, 0 for a factor 0.

    Shapes: (N, C, H, W) -> (N, C + numTransition growthRate, H, W); blobs: the 3x3 filters, scales, biases, means, variances, each for
        all t, with `use_BC` the 1x1 filters and their scales, biases, means, variances, then the factor (1).
    Source: DenseBlock_layer.cpp of senlinuc/caffe_ocr
    """

    types = ("DenseBlock",)

    def read(self, p: Params) -> None:
        q = p.message("denseblock_param")
        self.steps, self.growth, self.use_bc = q.get_int("numTransition"), q.get_int("growthRate"), q.get_bool("use_BC")
        q.ignore("initChannel", why="the bottom has it")
        q.ignore(*_FIXED, why="the layer computes 3x3 kernels, pad 1, stride 1 whatever they say")
        q.ignore("gpuIdx", "workspace_MB", "BC_ultra_space_efficient", why="chooses an implementation")
        q.ignore("use_dropout", "dropout_amount", "moving_average_fraction", why="steers training")
        for name, size in (("numTransition", self.steps), ("growthRate", self.growth)):
            if not 1 <= size <= MAX_SIZE:
                raise q.refuse(name, f"{name} is {size}", expected=f"1 to {MAX_SIZE}")
        norm = q.filler("BN_Scaler_Filler"), q.filler("BN_Bias_Filler"), Filler(), Filler(value=1.0)
        kinds = (q.filler("Filter_Filler"), *norm) * (1 + self.use_bc)
        self.fillers = *(filler for filler in kinds for _ in range(self.steps)), Filler()

    def weight_shapes(self, bottoms: Shapes) -> Shapes:
        t, g = range(self.steps), self.growth
        channels = [bottoms[0][1] + i * g for i in t]
        blobs: list[Shape] = [(g, 4 * g if self.use_bc else channels[i], 3, 3) for i in t]
        blobs += [(1, channels[i], 1, 1) for _ in range(4) for i in t]
        if self.use_bc:
            blobs += [(4 * g, channels[i], 1, 1) for i in t]
            blobs += [(1, 4 * g, 1, 1) for _ in range(4) for i in t]
        return [*blobs, (1,)]

    def random_weights(self, shapes: Sizes, rng: Rng) -> Arrays:
        around = (0.0, 1.0, 0.0, 0.0, 1.0) * 2  # (filters), scales, biases, means, variances
        blobs = [
            near(around[i // self.steps], shape, rng) if i // self.steps % 5 else he_normal(shape, prod(shape[1:]), rng)
            for i, shape in enumerate(shapes[:-1])
        ]
        return [*blobs, np.ones(1, np.float32)]

    def shapes(self, bottoms: Shapes) -> Shapes:
        (x,) = bottoms
        self.rank(x, 4)
        return [(x[0], x[1] + self.steps * self.growth, *x[2:])]

    def forward(self, bottoms: Arrays, weights: Arrays) -> Arrays:
        (x,) = bottoms
        factor = weights[-1][0]
        f = x.dtype.type(0 if factor == 0 else 1 / factor)

        def relu_bn(v: Array, scale: Array, bias: Array, mean: Array, variance: Array) -> Array:
            y = scale * ((v - mean * f) / np.sqrt(variance * f + x.dtype.type(EPS))) + bias
            return np.where(y >= 0, y, x.dtype.type(0))  # as the fork has it: 0 for NaN, of a negative variance

        for t in range(self.steps):
            kernel, *norm = self._step(weights, t)
            z = relu_bn(x, *norm[:4])
            if self.use_bc:
                z = relu_bn(convolve(z, norm[4], _POINT, 1), *norm[5:])
            x = np.concatenate([x, convolve(z, kernel[:, :, ::-1, ::-1], _SAME, 1)], axis=1)
        return [x]

    @staticmethod
    def _affine(norm: Arrays, weights: Arrays) -> tuple[Array, Array]:
        """Gain and offset of a bn per channel; 0 for a negative variance, which gives NaN and then 0."""
        factor = float(weights[-1][0])
        scale, bias, mean, variance = (w.astype(np.float64).reshape(-1) for w in norm)
        with np.errstate(invalid="ignore"):
            gain = scale / np.sqrt(variance * (1 / factor if factor else 0.0) + EPS)
        offset = bias - mean * (1 / factor if factor else 0.0) * gain
        return np.nan_to_num(gain, posinf=np.inf, neginf=-np.inf), np.where(np.isnan(gain), 0, offset)

    def _norm_relu(self, op: Op, v: Tensor, names: tuple[str, str], norm: Arrays, weights: Arrays) -> Tensor:
        gain, offset = (v.astype(np.float32).reshape(1, -1, 1, 1) for v in self._affine(norm, weights))
        scaled = op("Mul", v, op.weight(gain, names[0]))
        return op("Relu", op("Add", scaled, op.weight(offset, names[1])))

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        for t in range(self.steps):
            kernel, *norm = self._step(weights, t)
            if op.plain:
                z = self._norm_relu(op, x, (f"scale{t}", f"shift{t}"), norm[:4], weights)
            else:
                z = op("Relu", emit_scaled(op, x, *self._affine(norm[:4], weights)))
            if self.use_bc:  # the second bn goes into the 1x1 convolution before it
                gain, offset = self._affine(norm[5:], weights)
                point = (norm[4] * gain.reshape(-1, 1, 1, 1)).astype(np.float32)
                bias = op.weight(offset.astype(np.float32), f"bias{t}")
                z = op("Relu", op("Conv", z, op.weight(point, f"point{t}"), bias, kernel_shape=(1, 1)))
            turned = op.weight(np.ascontiguousarray(kernel[:, :, ::-1, ::-1]), f"filter{t}")
            x = op("Concat", x, op("Conv", z, turned, kernel_shape=(3, 3), pads=(1, 1, 1, 1)), axis=1)
        return [x]

    def emit_caffe2(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        (x,) = bottoms
        for t in range(self.steps):
            kernel, *norm = self._step(weights, t)
            z = self._norm_relu(op, x, (f"s{t}", f"b{t}"), norm[:4], weights)
            if self.use_bc:
                z = conv(op, z, op.weight(norm[4], f"point{t}"), None, _POINT)
                z = self._norm_relu(op, z, (f"s{t}_bc", f"b{t}_bc"), norm[5:], weights)
            turned = op.weight(np.ascontiguousarray(kernel[:, :, ::-1, ::-1]), f"w{t}")
            x = op("Concat", x, conv(op, z, turned, None, _SAME), axis=1)
        return [x]

    def reach(self, bottoms: Shapes) -> Reaches:
        return [[Reach(1, -self.steps, self.steps)] * 2]

    def macs(self, bottoms: Shapes, tops: Shapes) -> Size:
        filters = [product(blob) for blob in self.weight_shapes(bottoms) if len(blob) == 4 and blob[0] != 1]
        return sum(filters, 0) * tops[0][0] * product(tops[0][2:])

    def _step(self, weights: Arrays, t: int) -> list[Array]:
        """The blobs of step t: filter, scale, bias, mean, variance, with use_BC the same five of its 1x1 convolution."""
        return list(weights[t : -1 : self.steps])


_FIXED = ("pad_h", "pad_w", "conv_verticalStride", "conv_horizentalStride", "filter_H", "filter_W")
