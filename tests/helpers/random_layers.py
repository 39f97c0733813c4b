"""Random nets as Caffe may or may not accept them: one layer of any type of BVLC Caffe's, with parameters over their whole range."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

Rng = np.random.Generator
Shape = tuple[int, ...]


@dataclass
class Drawn:
    """A layer that was drawn: its inputs' shapes, its text without bottoms, and how many tops it has."""

    type: str
    shapes: list[Shape]
    params: str = ""
    tops: int = 1
    repeated: bool = False
    """Whether its first bottom comes twice."""
    more: list[str] = field(default_factory=list)
    """Layers of text before it."""

    @property
    def text(self) -> str:
        names = [f"x{i}" for i in range(len(self.shapes))]
        inputs = "".join(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
            for name, shape in zip(names, self.shapes, strict=True)
        )
        bottoms = " ".join(f'bottom: "{name}"' for name in [*names, *(names[:1] if self.repeated else [])])
        tops = " ".join(f'top: "y{i}"' for i in range(self.tops))
        return f'{inputs}{"".join(self.more)}layer {{ name: "y" type: "{self.type}" {bottoms} {tops} {self.params} }}\n'


def dims(shape: Sequence[int]) -> str:
    return " ".join(f"dim: {n}" for n in shape)


def one_of(rng: Rng, *values: object) -> object:
    return values[int(rng.integers(len(values)))]


def some(rng: Rng, *fields: str, share: float = 0.5) -> str:
    """Each of these fields by chance."""
    return " ".join(f for f in fields if rng.random() < share)


def image(rng: Rng, channels: int | None = None, low: int = 1, high: int = 12) -> Shape:
    n, c = int(rng.integers(1, 4)), channels or int(rng.integers(1, 7))
    return n, c, *(int(n) for n in rng.integers(low, high, 2))


def any_shape(rng: Rng, least: int = 1, most: int = 5) -> Shape:
    return tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(least, most + 1))))


def axis_of(rng: Rng, shape: Shape, start: int = 0) -> int:
    return int(rng.integers(start, len(shape))) - (len(shape) if rng.random() < 0.3 else 0)


def real(rng: Rng, low: float = -2, high: float = 2) -> str:
    return f"{rng.uniform(low, high):.3g}"


def windows(rng: Rng, most: int = 5) -> str:
    """kernel, stride, pad and dilation, in any of the ways to say them."""

    def said(name: str, low: int, high: int, optional: bool, both: str | None = None) -> str:
        if optional and rng.random() < 0.4:
            return ""
        if both is not None and rng.random() < 0.35:
            return f"{both}_h: {rng.integers(low, high)} {both}_w: {rng.integers(low, high)}"
        return f"{name}: {rng.integers(low, high)}"

    kernel = said("kernel_size", 1, most + 1, False, "kernel")
    return f"{kernel} {said('stride', 1, 4, True, 'stride')} {said('pad', 0, 3, True, 'pad')}"


def pooling(rng: Rng) -> Drawn:
    pool = one_of(rng, "MAX", "AVE")
    if rng.random() < 0.15:
        return Drawn("Pooling", [image(rng)], f"pooling_param {{ pool: {pool} global_pooling: true }}")
    mode = one_of(rng, "", "", "round_mode: FLOOR", "round_mode: CEIL")
    tops = 2 if pool == "MAX" and rng.random() < 0.2 else 1
    return Drawn("Pooling", [image(rng, low=2)], f"pooling_param {{ pool: {pool} {windows(rng)} {mode} }}", tops)


def convolution(rng: Rng, type: str = "Convolution") -> Drawn:
    group = int(one_of(rng, 1, 1, 2, 3))  # type: ignore[call-overload]
    channels = group * int(rng.integers(1, 4))
    outputs = group * int(rng.integers(1, 4))
    dilation = some(rng, f"dilation: {rng.integers(1, 3)}", share=0.3)
    bias = some(rng, "bias_term: false", share=0.3)
    params = f"convolution_param {{ num_output: {outputs} group: {group} {windows(rng)} {dilation} {bias} }}"
    count = 2 if rng.random() < 0.1 else 1
    shape = image(rng, channels, 3)
    return Drawn(type, [shape] * count, params, count)


def im2col(rng: Rng) -> Drawn:
    return Drawn("Im2col", [image(rng, low=4)], f"convolution_param {{ {windows(rng, 4)} }}")


def inner_product(rng: Rng) -> Drawn:
    shape = any_shape(rng, 2, 4)
    fields = some(rng, "bias_term: false", "transpose: true", f"axis: {axis_of(rng, shape, 1)}", share=0.3)
    return Drawn("InnerProduct", [shape], f"inner_product_param {{ num_output: {rng.integers(1, 6)} {fields} }}")


def lrn(rng: Rng) -> Drawn:
    region = one_of(rng, "ACROSS_CHANNELS", "WITHIN_CHANNEL")
    fields = some(
        rng, f"alpha: {real(rng, 0, 2)}", f"beta: {real(rng, 0.1, 1)}", f"local_size: {one_of(rng, 1, 3, 5, 7)}"
    )
    k = some(rng, f"k: {real(rng, 0.5, 2)}") if region == "ACROSS_CHANNELS" else ""
    return Drawn("LRN", [image(rng)], f"lrn_param {{ norm_region: {region} {fields} {k} }}")


def elementwise(type: str, param: str = "", *fields: Callable[[Rng], str]) -> Callable[[Rng], Drawn]:
    def draw(rng: Rng) -> Drawn:
        inner = some(rng, *(f(rng) for f in fields))
        return Drawn(type, [any_shape(rng)], f"{param} {{ {inner} }}" if param else "")

    return draw


def power(rng: Rng) -> Drawn:
    exponent = one_of(rng, "", "power: 2", "power: 0", "power: 3", "power: -1", "power: 1")
    fields = some(rng, f"scale: {real(rng)}", f"shift: {real(rng)}")
    return Drawn("Power", [any_shape(rng)], f"power_param {{ {exponent} {fields} }}")


def softmax(rng: Rng) -> Drawn:
    shape = any_shape(rng, 2)
    return Drawn("Softmax", [shape], f"softmax_param {{ {some(rng, f'axis: {axis_of(rng, shape)}')} }}")


def argmax(rng: Rng) -> Drawn:
    shape = any_shape(rng, 2, 4)
    axis = f"axis: {axis_of(rng, shape)}" if rng.random() < 0.5 else ""
    top = min(shape[axis_of(rng, shape)] if axis else int(np.prod(shape[1:])), 2)
    return Drawn("ArgMax", [shape], f"argmax_param {{ {axis} {some(rng, 'out_max_val: true', f'top_k: {top}')} }}")


def reduction(rng: Rng) -> Drawn:
    shape = any_shape(rng)
    fields = some(rng, f"axis: {axis_of(rng, shape)}", f"coeff: {real(rng)}")
    return Drawn(
        "Reduction", [shape], f"reduction_param {{ operation: {one_of(rng, 'SUM', 'ASUM', 'SUMSQ', 'MEAN')} {fields} }}"
    )


def flatten(rng: Rng) -> Drawn:
    shape = any_shape(rng)
    return Drawn(
        "Flatten",
        [shape],
        f"flatten_param {{ {some(rng, f'axis: {axis_of(rng, shape)}', f'end_axis: {axis_of(rng, shape)}')} }}",
    )


def reshape(rng: Rng) -> Drawn:
    shape = any_shape(rng, 1, 4)
    axis = int(rng.integers(0, len(shape)))
    kept = [0 if rng.random() < 0.3 else n for n in shape[axis:]]
    if kept and rng.random() < 0.6:
        kept[int(rng.integers(len(kept)))] = -1
    if len(kept) > 1 and rng.random() < 0.3:
        kept = [-1, *kept[2:]] if -1 not in kept[2:] else kept
    begin = f"axis: {axis - (len(shape) + 1 if rng.random() < 0.2 else 0)}" if axis or rng.random() < 0.3 else ""
    return Drawn("Reshape", [shape], f"reshape_param {{ shape {{ {dims(kept)} }} {begin} }}")


def concat(rng: Rng) -> Drawn:
    shape = any_shape(rng, 1, 4)
    axis = int(rng.integers(len(shape)))
    others = [
        tuple(int(rng.integers(1, 5)) if i == axis else n for i, n in enumerate(shape))
        for _ in range(int(rng.integers(0, 3)))
    ]
    said = f"axis: {axis - (len(shape) if rng.random() < 0.3 else 0)}"
    return Drawn("Concat", [shape, *others], f"concat_param {{ {said} }}")


def slice_(rng: Rng) -> Drawn:
    shape = any_shape(rng, 1, 4)
    axis = int(rng.integers(len(shape)))
    shape = tuple(int(rng.integers(2, 7)) if i == axis else n for i, n in enumerate(shape))
    tops = int(rng.integers(1, min(shape[axis], 3) + 1))
    points = sorted(rng.choice(np.arange(1, shape[axis]), tops - 1, replace=False)) if rng.random() < 0.6 else []
    if not points and shape[axis] % tops:
        tops = 1
    said = f"axis: {axis - (len(shape) if rng.random() < 0.3 else 0)} " + " ".join(f"slice_point: {p}" for p in points)
    return Drawn("Slice", [shape], f"slice_param {{ {said} }}", tops)


def eltwise(rng: Rng) -> Drawn:
    count = int(rng.integers(2, 5))
    operation = one_of(rng, "SUM", "PROD", "MAX")
    coeffs = " ".join(f"coeff: {real(rng)}" for _ in range(count)) if operation == "SUM" and rng.random() < 0.5 else ""
    return Drawn("Eltwise", [any_shape(rng)] * count, f"eltwise_param {{ operation: {operation} {coeffs} }}")


def scale(rng: Rng, type: str = "Scale") -> Drawn:
    shape = any_shape(rng, 1, 4)
    param = "scale_param" if type == "Scale" else "bias_param"
    bias = some(rng, "bias_term: true") if type == "Scale" else ""
    axis = int(rng.integers(len(shape)))
    said = f"axis: {axis - (len(shape) if rng.random() < 0.3 else 0)}"
    count = int(rng.integers(0, len(shape) - axis + 1))
    if rng.random() < 0.3:
        return Drawn(type, [shape, shape[axis : axis + max(count, 1)]], f"{param} {{ {said} {bias} }}")
    return Drawn(type, [shape], f"{param} {{ {said} num_axes: {count} {bias} }}")


def batch_norm(rng: Rng) -> Drawn:
    shape = image(rng) if rng.random() < 0.7 else any_shape(rng, 2)
    return Drawn(
        "BatchNorm",
        [shape],
        f"batch_norm_param {{ {some(rng, f'eps: {real(rng, 1e-4, 0.1)}', 'use_global_stats: true')} }}",
    )


def mvn(rng: Rng) -> Drawn:
    fields = some(rng, "normalize_variance: false", "across_channels: true", f"eps: {real(rng, 1e-4, 0.1)}")
    return Drawn("MVN", [image(rng, low=2)], f"mvn_param {{ {fields} }}")


def prelu(rng: Rng) -> Drawn:
    return Drawn("PReLU", [any_shape(rng, 2)], f"prelu_param {{ {some(rng, 'channel_shared: true')} }}")


def crop(rng: Rng) -> Drawn:
    shape = image(rng, low=4)
    axis = int(rng.integers(1, 4))
    sizes = [n if i < axis else int(rng.integers(1, n + 1)) for i, n in enumerate(shape)]
    room = [n - m for n, m in zip(shape[axis:], sizes[axis:], strict=True)]
    offsets = [int(rng.integers(0, r + 1)) for r in room]
    if rng.random() < 0.4:
        offsets = [min(min(room), offsets[0])]
    return Drawn(
        "Crop", [shape, tuple(sizes)], f"crop_param {{ axis: {axis} {' '.join(f'offset: {o}' for o in offsets)} }}"
    )


def tile(rng: Rng) -> Drawn:
    shape = any_shape(rng)
    return Drawn("Tile", [shape], f"tile_param {{ axis: {axis_of(rng, shape)} tiles: {rng.integers(1, 4)} }}")


def embed(rng: Rng) -> Drawn:
    bias = some(rng, "bias_term: false")
    fields = f"num_output: {rng.integers(1, 6)} input_dim: {rng.integers(2, 9)} {bias}"
    return Drawn("Embed", [any_shape(rng, 1, 3)], f"embed_param {{ {fields} }}")


def spp(rng: Rng) -> Drawn:
    return Drawn(
        "SPP",
        [image(rng, low=4)],
        f"spp_param {{ pyramid_height: {rng.integers(1, 4)} pool: {one_of(rng, 'MAX', 'AVE')} }}",
    )


def recurrent(type: str) -> Callable[[Rng], Drawn]:
    def draw(rng: Rng) -> Drawn:
        t, n, k = (int(x) for x in rng.integers(1, 5, 3))
        shapes: list[Shape] = [(t, n, k), (t, n)]
        if rng.random() < 0.3:
            shapes.append((n, int(rng.integers(1, 4))))
        return Drawn(type, shapes, f"recurrent_param {{ num_output: {rng.integers(1, 5)} }}")

    return draw


def loss(type: str, labels: bool, param: str = "") -> Callable[[Rng], Drawn]:
    def draw(rng: Rng) -> Drawn:
        n, k = int(rng.integers(1, 5)), int(rng.integers(2, 5))
        spatial = (
            tuple(int(x) for x in rng.integers(1, 4, int(one_of(rng, 0, 2))))
            if type in ("SoftmaxWithLoss", "Accuracy")
            else ()
        )  # type: ignore[call-overload]
        shape = (n, k, *spatial)
        return Drawn(type, [shape, (n, *spatial) if labels else shape], param)

    return draw


def contrastive(rng: Rng) -> Drawn:
    n, k = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    fields = some(rng, f"margin: {real(rng, 0.5, 2)}", "legacy_version: true")
    return Drawn("ContrastiveLoss", [(n, k), (n, k), (n,)], f"contrastive_loss_param {{ {fields} }}")


def batch_reindex(rng: Rng) -> Drawn:
    return Drawn("BatchReindex", [any_shape(rng), (int(rng.integers(1, 6)),)])


def filter_(rng: Rng) -> Drawn:
    shape = any_shape(rng, 2)
    return Drawn("Filter", [shape, (shape[0],)])


def split(rng: Rng) -> Drawn:
    return Drawn("Split", [any_shape(rng)], tops=int(rng.integers(1, 4)))


def permute(rng: Rng) -> Drawn:
    shape = any_shape(rng, 2, 4)
    order = rng.permutation(len(shape))[: int(rng.integers(1, len(shape) + 1))]
    return Drawn("Permute", [shape], f"permute_param {{ {' '.join(f'order: {i}' for i in order)} }}")


def reverse(rng: Rng) -> Drawn:
    shape = any_shape(rng, 1, 4)
    return Drawn("Reverse", [shape], f"reverse_param {{ axis: {rng.integers(len(shape))} }}")


def base(rng: Rng) -> str:
    return f"base: {real(rng, 1.5, 4)}"


def number(name: str, low: float = -2, high: float = 2) -> Callable[[Rng], str]:
    return lambda rng: f"{name}: {real(rng, low, high)}"


LAYERS: dict[str, Callable[[Rng], Drawn]] = {
    "AbsVal": elementwise("AbsVal"),
    "Accuracy": loss("Accuracy", True),
    "ArgMax": argmax,
    "BNLL": elementwise("BNLL"),
    "BatchNorm": batch_norm,
    "BatchReindex": batch_reindex,
    "Bias": lambda rng: scale(rng, "Bias"),
    "Concat": concat,
    "ContrastiveLoss": contrastive,
    "Convolution": convolution,
    "Crop": crop,
    "Deconvolution": lambda rng: convolution(rng, "Deconvolution"),
    "Dropout": elementwise("Dropout", "dropout_param", number("dropout_ratio", 0.1, 0.9)),
    "ELU": elementwise("ELU", "elu_param", number("alpha", 0, 2)),
    "Eltwise": eltwise,
    "Embed": embed,
    "EuclideanLoss": loss("EuclideanLoss", False),
    "Exp": elementwise("Exp", "exp_param", base, number("scale"), number("shift")),
    "Filter": filter_,
    "Flatten": flatten,
    "HingeLoss": loss("HingeLoss", True, "hinge_loss_param { norm: L2 }"),
    "Im2col": im2col,
    "InnerProduct": inner_product,
    "LRN": lrn,
    "LSTM": recurrent("LSTM"),
    "Log": elementwise("Log", "log_param", base, number("scale", 0.1, 2), number("shift", 5, 9)),
    "MVN": mvn,
    "MultinomialLogisticLoss": loss("MultinomialLogisticLoss", True),
    "PReLU": prelu,
    "Permute": permute,
    "Pooling": pooling,
    "Power": power,
    "RNN": recurrent("RNN"),
    "ReLU": elementwise("ReLU", "relu_param", number("negative_slope", 0, 1)),
    "Reduction": reduction,
    "Reshape": reshape,
    "Reverse": reverse,
    "SPP": spp,
    "Scale": scale,
    "Sigmoid": elementwise("Sigmoid"),
    "SigmoidCrossEntropyLoss": loss("SigmoidCrossEntropyLoss", False),
    "Slice": slice_,
    "Softmax": softmax,
    "SoftmaxWithLoss": loss("SoftmaxWithLoss", True),
    "Split": split,
    "Swish": elementwise("Swish", "swish_param", number("beta", 0.1, 3)),
    "TanH": elementwise("TanH"),
    "Threshold": elementwise("Threshold", "threshold_param", number("threshold", -1, 1)),
    "Tile": tile,
}


def one_layer(rng: Rng) -> Drawn:
    """A layer of any type; windowed ones, whose parameters say most, more often."""
    names = [
        *LAYERS,
        *["Pooling", "Convolution", "Deconvolution"] * 3,
        *["LRN", "InnerProduct", "Reshape", "Scale", "SPP"] * 2,
    ]
    return LAYERS[str(one_of(rng, *names))](rng)
