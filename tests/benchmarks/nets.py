"""The nets that the benchmarks use: the published architectures, with seeded weights.

AlexNet, GoogLeNet, VGG-16 and ResNet-50 as Caffe users know them (BVLC, Oxford, MSRA), MobileNet as shicai's, SqueezeNet 1.1. Each is one
function that says its layers to a writer: Prototxt here, or hand.Onnx, which writes the ONNX graph that one would write by hand.
The numbers are made up: speed does not depend on them. Files are kept outside the checkout: NETSURGERY_BENCH, or ~/.cache/netsurgery-bench.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import netsurgery
from netsurgery.files.output import replacing
from netsurgery.formats.weights.write_caffemodel import write_to


class Writer(Protocol):
    """Every method appends a layer and returns the blob that it writes."""

    def input(self, size: int) -> str: ...
    def conv(
        self, name: str, x: str, out: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1, bias: bool = True
    ) -> str: ...
    def normalized(self, suffix: str, x: str) -> str:
        """BatchNorm and Scale in place on a convolution without bias."""

    def relu(self, name: str, x: str) -> str: ...
    def pool(self, name: str, x: str, kernel: int, stride: int, pad: int = 0, how: str = "MAX") -> str: ...
    def global_average(self, name: str, x: str) -> str: ...
    def lrn(self, name: str, x: str) -> str: ...
    def inner(self, name: str, x: str, out: int) -> str: ...
    def dropout(self, name: str, x: str) -> str: ...
    def concat(self, name: str, xs: Sequence[str]) -> str: ...
    def add(self, name: str, xs: Sequence[str]) -> str: ...
    def softmax(self, name: str, x: str) -> str: ...


class Prototxt:
    def __init__(self, name: str) -> None:
        self.lines = [f'name: "{name}"']

    def _layer(self, name: str, kind: str, bottoms: str | Sequence[str], top: str = "", params: str = "") -> str:
        top = top or name
        reads = " ".join(f'bottom: "{b}"' for b in ([bottoms] if isinstance(bottoms, str) else bottoms))
        self.lines.append(f'layer {{ name: "{name}" type: "{kind}" {reads} top: "{top}" {params} }}')
        return top

    def input(self, size: int) -> str:
        shape = f"shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }}"
        return self._layer("data", "Input", (), params=f"input_param {{ {shape} }}")

    def conv(
        self, name: str, x: str, out: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1, bias: bool = True
    ) -> str:
        said = f"num_output: {out} kernel_size: {kernel} stride: {stride} pad: {pad} group: {group}"
        said += "" if bias else " bias_term: false"
        return self._layer(name, "Convolution", x, params=f"convolution_param {{ {said} }}")

    def normalized(self, suffix: str, x: str) -> str:
        self._layer(f"bn{suffix}", "BatchNorm", x, x, "batch_norm_param { use_global_stats: true }")
        return self._layer(f"scale{suffix}", "Scale", x, x, "scale_param { bias_term: true }")

    def relu(self, name: str, x: str) -> str:
        return self._layer(name, "ReLU", x, x)

    def pool(self, name: str, x: str, kernel: int, stride: int, pad: int = 0, how: str = "MAX") -> str:
        said = f"pool: {how} kernel_size: {kernel} stride: {stride} pad: {pad}"
        return self._layer(name, "Pooling", x, params=f"pooling_param {{ {said} }}")

    def global_average(self, name: str, x: str) -> str:
        return self._layer(name, "Pooling", x, params="pooling_param { pool: AVE global_pooling: true }")

    def lrn(self, name: str, x: str) -> str:
        return self._layer(name, "LRN", x, params="lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")

    def inner(self, name: str, x: str, out: int) -> str:
        return self._layer(name, "InnerProduct", x, params=f"inner_product_param {{ num_output: {out} }}")

    def dropout(self, name: str, x: str) -> str:
        return self._layer(name, "Dropout", x, x, "dropout_param { dropout_ratio: 0.5 }")

    def concat(self, name: str, xs: Sequence[str]) -> str:
        return self._layer(name, "Concat", xs)

    def add(self, name: str, xs: Sequence[str]) -> str:
        return self._layer(name, "Eltwise", xs)

    def softmax(self, name: str, x: str) -> str:
        return self._layer(name, "Softmax", x)


def _classifier(w: Writer, x: str, width: int = 4096) -> None:
    """fc6, fc7 and fc8 of AlexNet and VGG."""
    for i in (6, 7):
        x = w.dropout(f"drop{i}", w.relu(f"relu{i}", w.inner(f"fc{i}", x, width)))
    w.softmax("prob", w.inner("fc8", x, 1000))


def alexnet(w: Writer) -> None:
    x = w.relu("relu1", w.conv("conv1", w.input(227), 96, 11, stride=4))
    x = w.pool("pool1", w.lrn("norm1", x), 3, 2)
    x = w.relu("relu2", w.conv("conv2", x, 256, 5, pad=2, group=2))
    x = w.pool("pool2", w.lrn("norm2", x), 3, 2)
    x = w.relu("relu3", w.conv("conv3", x, 384, 3, pad=1))
    x = w.relu("relu4", w.conv("conv4", x, 384, 3, pad=1, group=2))
    x = w.relu("relu5", w.conv("conv5", x, 256, 3, pad=1, group=2))
    _classifier(w, w.pool("pool5", x, 3, 2))


def vgg16(w: Writer, width: float = 1.0) -> None:
    """`width` multiplies all channels."""
    x = w.input(224)
    for i, (channels, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1):
        for j in range(1, count + 1):
            x = w.relu(f"relu{i}_{j}", w.conv(f"conv{i}_{j}", x, int(channels * width), 3, pad=1))
        x = w.pool(f"pool{i}", x, 2, 2)
    _classifier(w, x, int(4096 * width))


INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""Channels of GoogLeNet's modules: 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, behind the pool."""


def googlenet(w: Writer) -> None:
    def conv(name: str, x: str, out: int, kernel: int, stride: int = 1) -> str:
        return w.relu(f"{name}/relu", w.conv(name, x, out, kernel, stride, kernel // 2))

    x = w.pool("pool1", conv("conv1", w.input(224), 64, 7, 2), 3, 2)
    x = conv("conv2_reduce", w.lrn("norm1", x), 64, 1)
    x = w.pool("pool2", w.lrn("norm2", conv("conv2", x, 192, 3)), 3, 2)
    for module, (one, three_in, three, five_in, five, pooled) in INCEPTIONS.items():
        if module in ("4a", "5a"):
            x = w.pool(f"pool{int(module[0]) - 1}", x, 3, 2)
        branches = (
            conv(f"{module}/1x1", x, one, 1),
            conv(f"{module}/3x3", conv(f"{module}/3x3_reduce", x, three_in, 1), three, 3),
            conv(f"{module}/5x5", conv(f"{module}/5x5_reduce", x, five_in, 1), five, 5),
            conv(f"{module}/pool_proj", w.pool(f"{module}/pool", x, 3, 1, pad=1), pooled, 1),
        )
        x = w.concat(f"{module}/output", branches)
    x = w.dropout("drop", w.pool("pool5", x, 7, 1, how="AVE"))
    w.softmax("prob", w.inner("classifier", x, 1000))


def resnet50(w: Writer) -> None:
    x = w.normalized("_conv1", w.conv("conv1", w.input(224), 64, 7, stride=2, pad=3))
    x = w.pool("pool1", w.relu("conv1_relu", x), 3, 2)
    for stage, width, blocks in ((2, 64, 3), (3, 128, 4), (4, 256, 6), (5, 512, 3)):
        for block in "abcdef"[:blocks]:
            stride = 2 if block == "a" and stage > 2 else 1
            short, name = x, f"res{stage}{block}"

            def conv(branch: str, x: str, out: int, kernel: int, stride: int = 1, name: str = name) -> str:
                y = w.conv(f"{name}_{branch}", x, out, kernel, stride, kernel // 2, bias=False)
                return w.normalized(f"{name[3:]}_{branch}", y)

            if block == "a":
                short = conv("branch1", x, 4 * width, 1, stride)
            y = w.relu(f"{name}_branch2a_relu", conv("branch2a", x, width, 1, stride))
            y = w.relu(f"{name}_branch2b_relu", conv("branch2b", y, width, 3))
            y = conv("branch2c", y, 4 * width, 1)
            x = w.relu(f"{name}_relu", w.add(name, (short, y)))
    w.softmax("prob", w.inner("fc1000", w.pool("pool5", x, 7, 1, how="AVE"), 1000))


def mobilenet(w: Writer) -> None:
    def conv(name: str, x: str, out: int, kernel: int, stride: int = 1, group: int = 1) -> str:
        y = w.conv(name, x, out, kernel, stride, kernel // 2, group, bias=False)
        return w.relu(f"relu_{name}", w.normalized(f"_{name}", y))

    x, channels = conv("conv1", w.input(224), 32, 3, 2), 32
    blocks = (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1)
    for i, (out, stride) in enumerate(blocks, 1):
        x = conv(f"block{i}/dw", x, channels, 3, stride, group=channels)
        x, channels = conv(f"block{i}/sep", x, out, 1), out
    w.softmax("prob", w.conv("fc7", w.global_average("pool6", x), 1000, 1))


def squeezenet(w: Writer) -> None:
    def conv(name: str, x: str, out: int, kernel: int, stride: int = 1, pad: int = 0) -> str:
        return w.relu(f"{name}/relu", w.conv(name, x, out, kernel, stride, pad))

    x = w.pool("pool1", conv("conv1", w.input(227), 64, 3, 2), 3, 2)
    fires = (16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)
    for i, (squeezed, expanded) in enumerate(fires, 2):
        if i in (4, 6):
            x = w.pool(f"pool{i - 1}", x, 3, 2)
        x = conv(f"fire{i}/squeeze1x1", x, squeezed, 1)
        sides = conv(f"fire{i}/expand1x1", x, expanded, 1), conv(f"fire{i}/expand3x3", x, expanded, 3, pad=1)
        x = w.concat(f"fire{i}/concat", sides)
    x = conv("conv10", w.dropout("drop9", x), 1000, 1)
    w.softmax("prob", w.global_average("pool10", x))


NETS: dict[str, Callable[[Writer], None]] = {
    "alexnet": alexnet,
    "vgg16": vgg16,
    "googlenet": googlenet,
    "resnet50": resnet50,
    "mobilenet": mobilenet,
    "squeezenet": squeezenet,
}


def cache() -> Path:
    """Where big files are kept: made if it is not there."""
    folder = Path(os.environ.get("NETSURGERY_BENCH") or Path.home() / ".cache" / "netsurgery-bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def files(name: str, architecture: Callable[[Writer], None] | None = None) -> tuple[Path, Path]:
    """Prototxt and caffemodel of a net, written if they are not there yet."""
    writer = Prototxt(name)
    (architecture or NETS[name])(writer)
    return written(name, "\n".join(writer.lines) + "\n")


def written(name: str, text: str) -> tuple[Path, Path]:
    """A prototxt and a caffemodel with made-up weights for it, written if they are not there yet."""
    prototxt, caffemodel = cache() / f"{name}.prototxt", cache() / f"{name}.caffemodel"
    if not caffemodel.exists() or not prototxt.exists() or prototxt.read_text() != text:
        prototxt.write_text(text)
        with replacing(caffemodel) as out:
            write_to(out, netsurgery.initialize(netsurgery.load(prototxt), 7, "random"), {})
    return prototxt, caffemodel
