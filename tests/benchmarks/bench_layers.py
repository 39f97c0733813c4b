"""Layers of which the obvious operator is the slow one: what is exported against the plain node, at the sizes of published nets.

pytest tests/benchmarks/bench_layers.py --benchmark-enable --benchmark-group-by=group
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from one_layer import make, one
from onnx import TensorProto, helper

import netsurgery
from netsurgery.formats.load import from_text

LRN = one("LRN", "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")
WITHIN = one("LRN", "lrn_param { local_size: 3 alpha: 0.00005 norm_region: WITHIN_CHANNEL }")
AVERAGE = one("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }")


def session(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def rounded_up(shape: tuple[int, ...]) -> onnx.ModelProto:
    """AveragePool with ceil_mode and padding, the node that says what AVERAGE does."""
    at = {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1,) * 4, "ceil_mode": 1, "count_include_pad": 1}
    node = helper.make_node("AveragePool", ["x"], ["y"], **at)
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", shape), ("y", None)))
    graph = helper.make_graph([node], "plain", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize(
    "shape", [(1, 96, 55, 55), (10, 96, 55, 55), (1, 256, 27, 27), (1, 64, 56, 56), (1, 192, 56, 56)]
)
def test_lrn(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"LRN {shape}"
    run = session(netsurgery.to_onnx(make(LRN, x=shape), plain=way == "plain", static=True))
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    benchmark(run.run, None, {"x": x})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 37, 192, 256), (1, 21, 500, 500), (1, 2, 300, 400), (1, 2, 17100)])
def test_softmax(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"Softmax {shape}"
    run = session(netsurgery.to_onnx(make(one("Softmax"), x=shape), plain=way == "plain", static=True))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("boxes", [300, 6000, 34125])
def test_softmax_of_boxes(benchmark: Any, boxes: int, way: str) -> None:
    benchmark.group = f"Softmax {boxes} x 2"
    net = make(one("Softmax", "softmax_param { axis: 2 }"), x=(1, boxes, 2))
    run = session(netsurgery.to_onnx(net, plain=way == "plain", static=True))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=(1, boxes, 2)).astype(np.float32)})


@pytest.mark.parametrize("way", ["winograd", "exported"])
@pytest.mark.parametrize(
    "shape",
    [(1, 128, 112, 112), (1, 128, 28, 28), (1, 256, 56, 56), (1, 256, 14, 14), (1, 512, 28, 28), (1, 512, 14, 14)],
)
def test_winograd(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"Convolution 3x3 {shape}"
    conv = one("Convolution", f"convolution_param {{ num_output: {shape[1]} kernel_size: 3 pad: 1 }}")
    net = netsurgery.initialize(make(conv, x=shape), 0, "random")
    run = session(netsurgery.to_onnx(net, winograd=way == "winograd", static=True))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 192, 28, 28), (1, 480, 14, 14)])
def test_average(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"AVE {shape}"
    run = session(rounded_up(shape) if way == "plain" else netsurgery.to_onnx(make(AVERAGE, x=shape), static=True))
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    benchmark(run.run, None, {"x": x})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 64, 112, 112), (1, 64, 56, 56), (1, 128, 28, 28)])
def test_prelu_between_convolutions(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    """Where it stands in published nets: the layout of the convolutions is what is at stake."""
    benchmark.group = f"PReLU {shape}"
    c = shape[1]
    conv = f'type: "Convolution" convolution_param {{ num_output: {c} kernel_size: 3 pad: 1 }}'
    dims = "".join(f"dim: {d} " for d in shape)
    net = from_text(
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}'
        f'layer {{ name: "a" bottom: "x" top: "a" {conv} }}'
        'layer { name: "p" type: "PReLU" bottom: "a" top: "p" }'
        f'layer {{ name: "b" bottom: "p" top: "b" {conv} }}'
    )
    rng = np.random.default_rng(0)
    net = netsurgery.initialize(net).with_weights("p", rng.random(c).astype(np.float32))
    run = session(netsurgery.to_onnx(net, plain=way == "plain", static=True))
    benchmark(run.run, None, {"x": rng.normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("windows", ["apart", "overlapping"])
def test_unpooling(benchmark: Any, windows: str) -> None:
    """Windows that do not overlap need no order among those that write to one place."""
    shape, kernel = (1, 64, 180, 240), 2 if windows == "apart" else 3
    net = make(
        f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "p" top: "m" pooling_param {{ kernel_size: {kernel} stride: 2 }} }}'
        + one("Upsample", "upsample_param { scale: 2 }", ("p", "m")),
        x=shape,
    )
    run = session(netsurgery.to_onnx(net, static=True))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


def between(shape: tuple[int, ...], *layers: str) -> netsurgery.Net:
    """Layers between two convolutions, as they stand in published nets."""
    conv = f'type: "Convolution" convolution_param {{ num_output: {shape[1]} kernel_size: 1 }}'
    dims = "".join(f"dim: {d} " for d in shape)
    text = f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}'
    text += f'layer {{ name: "a" bottom: "x" top: "p" {conv} }}'
    for i, layer in enumerate(layers):
        text += layer.replace('"y"', f'"{i}"').replace('"x"', f'"{i - 1}"' if i else '"p"')
    text += f'layer {{ name: "b" bottom: "{len(layers) - 1}" top: "b" {conv} }}'
    return netsurgery.initialize(from_text(text), 0, "random")


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("kind", ["within", "scaled", "shuffled"])
def test_between_convolutions(benchmark: Any, kind: str, way: str) -> None:
    benchmark.group = kind
    layers = {
        "within": [WITHIN],
        "scaled": [one("ReLU"), one("BatchNorm"), one("Scale", "scale_param { bias_term: true }"), one("ReLU")],
        "shuffled": [one("ShuffleChannel", "shuffle_channel_param { group: 3 }")],
    }[kind]
    shape = (1, 96, 56, 56)
    run = session(netsurgery.to_onnx(between(shape, *layers), plain=way == "plain", fold=way != "plain", static=True))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(8732, 21, 400), (1917, 91, 100), (24564, 21, 400)])
def test_detections(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    """As trained nets have it: few scores above the threshold."""
    priors, classes, top_k = shape
    benchmark.group = f"DetectionOutput {shape}"
    fields = f"num_classes: {classes} confidence_threshold: 0.01 keep_top_k: 200 code_type: CENTER_SIZE"
    fields = f"detection_output_param {{ {fields} nms_param {{ nms_threshold: 0.45 top_k: {top_k} }} }}"
    net = make(one("DetectionOutput", fields, "lcp"), l=(1, 4 * priors), c=(1, classes * priors), p=(1, 2, 4 * priors))
    rng = np.random.default_rng(0)
    scores = rng.random((priors, classes)) * np.where(rng.random((priors, classes)) < 0.01, 1, 0.01)
    boxes = np.sort(rng.random((2, priors, 2, 2)), axis=2)
    feed = {"l": rng.normal(size=4 * priors), "c": scores, "p": boxes}
    feed = {name: value.reshape(1, *[2] * (name == "p"), -1).astype(np.float32) for name, value in feed.items()}
    run = session(netsurgery.to_onnx(net, plain=way == "plain"))
    benchmark(run.run, None, feed)


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("chance", ["trained", "noise"])
@pytest.mark.parametrize("side", [10, 13, 26])
def test_yolov3(benchmark: Any, side: int, chance: str, way: str) -> None:
    benchmark.group = f"Yolov3DetectionOutput {side} {chance}"
    fields = "num_classes: 20 num_box: 3 confidence_threshold: 0.01 nms_threshold: 0.45"
    fields += " mask: 0 mask: 1 mask: 2 mask_group_num: 1 anchors_scale: 32"
    sizes = " ".join(f"biases: {n}" for n in (81, 82, 135, 169, 344, 319))
    net = make(
        one("Yolov3DetectionOutput", f"yolov3_detection_output_param {{ {fields} {sizes} }}"), x=(1, 75, side, side)
    )
    x = np.random.default_rng(0).normal(size=(1, 3, 25, side, side)).astype(np.float32)
    if chance == "trained":
        x[:, :, 4] -= 7
    benchmark(session(netsurgery.to_onnx(net, plain=way == "plain")).run, None, {"x": x.reshape(1, 75, side, side)})


def regions(rng: np.random.Generator, height: int, width: int) -> np.ndarray[Any, Any]:
    """300 regions (item, x1, y1, x2, y2) of an image 16 times as large as its map."""
    corners = np.sort(rng.random((300, 2, 2)), axis=1) * [width * 16, height * 16]
    return np.pad(corners.reshape(300, 4), ((0, 0), (1, 0))).astype(np.float32)


@pytest.mark.parametrize("shape", [(256, 38, 50), (512, 38, 50), (512, 36, 120)])
def test_roi_align(benchmark: Any, shape: tuple[int, ...]) -> None:
    channels, h, w = shape
    benchmark.group = f"ROIAlign {shape}"
    fields = "roi_pooling_param { pooled_h: 7 pooled_w: 7 spatial_scale: 0.0625 }"
    net = make(one("ROIAlign", fields, "xr"), x=(1, channels, h, w), r=(300, 5))
    rng = np.random.default_rng(0)
    rois = regions(rng, h, w)
    x = rng.normal(size=(1, *shape)).astype(np.float32)
    benchmark(session(netsurgery.to_onnx(net)).run, None, {"x": x, "r": rois})


@pytest.mark.parametrize("shape", [(21, 38, 50), (8, 38, 50), (10, 63, 38)])
def test_psroi_pooling(benchmark: Any, shape: tuple[int, ...]) -> None:
    outputs, h, w = shape
    benchmark.group = f"PSROIPooling {shape}"
    fields = f"psroi_pooling_param {{ spatial_scale: 0.0625 output_dim: {outputs} group_size: 7 }}"
    net = make(one("PSROIPooling", fields, "xr"), x=(1, outputs * 49, h, w), r=(300, 5))
    rng = np.random.default_rng(0)
    rois = regions(rng, h, w)
    x = rng.normal(size=(1, outputs * 49, h, w)).astype(np.float32)
    benchmark(session(netsurgery.to_onnx(net)).run, None, {"x": x, "r": rois})


SINGLE = {
    "Mish": one("Mish"),
    "Power -1": one("Power", "power_param { power: -1 }"),
    "Power 0.5": one("Power", "power_param { power: 0.5 }"),
    "Normalize": one("Normalize", "norm_param { across_spatial: false }"),
}


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 512, 38, 38), (1, 64, 60, 80), (1, 256, 32, 32), (1, 64, 104, 104)])
@pytest.mark.parametrize("kind", SINGLE)
def test_single_layers(benchmark: Any, kind: str, shape: tuple[int, ...], way: str) -> None:
    benchmark.group = f"{kind} {shape}"
    net = netsurgery.initialize(make(SINGLE[kind], x=shape))
    x = np.abs(np.random.default_rng(0).normal(size=shape)).astype(np.float32)
    benchmark(session(netsurgery.to_onnx(net, plain=way == "plain", static=True)).run, None, {"x": x})


@pytest.mark.parametrize("boxes", ["min_size: 30", "min_size: 10 min_size: 16 min_size: 24 aspect_ratio: 3"])
@pytest.mark.parametrize("side", [19, 38, 80])
def test_prior_boxes(benchmark: Any, side: int, boxes: str) -> None:
    benchmark.group = f"PriorBox {side} {boxes}"
    shapes = {"x": (1, 16, side, side), "i": (1, 3, 8 * side, 8 * side)}
    net = make(one("PriorBox", f"prior_box_param {{ {boxes} aspect_ratio: 2 step: 8 }}", "xi"), **shapes)
    feed = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    benchmark(session(netsurgery.to_onnx(net)).run, None, feed)


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 128, 56, 56), (1, 256, 28, 28), (1, 128, 150, 150)])
def test_groups_between_convolutions(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    """ResNeXt's, of 4 and 8 channels."""
    benchmark.group = f"groups {shape}"
    params = f"convolution_param {{ num_output: {shape[1]} kernel_size: 3 pad: 1 group: 32 }}"
    net = between(shape, one("ReLU"), one("Convolution", params), one("ReLU"))
    run = session(netsurgery.to_onnx(net, plain=way == "plain"))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize("shape", [(1, 64, 224, 224), (1, 256, 56, 56), (1, 512, 14, 14)])
def test_deconvolution_of_stride_1(benchmark: Any, shape: tuple[int, ...], way: str) -> None:
    """DeconvNet's."""
    benchmark.group = f"Deconvolution, stride 1 {shape}"
    params = f"convolution_param {{ num_output: {shape[1]} kernel_size: 3 pad: 1 }}"
    net = netsurgery.initialize(make(one("Deconvolution", params), x=shape), 0, "random")
    run = session(netsurgery.to_onnx(net, plain=way == "plain"))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("way", ["exported", "plain"])
@pytest.mark.parametrize(("shape", "kernel"), [((1, 21, 16, 16), 63), ((1, 21, 70, 70), 16), ((1, 60, 70, 70), 16)])
def test_deconvolution_that_mixes_no_channels(benchmark: Any, shape: tuple[int, ...], kernel: int, way: str) -> None:
    """FCN's enlargements."""
    benchmark.group = f"Deconvolution, diagonal {shape}"
    params = f"convolution_param {{ num_output: {shape[1]} kernel_size: {kernel} stride: {(kernel + 1) // 2} bias_term: false }}"
    w = np.zeros((shape[1], shape[1], kernel, kernel), np.float32)
    w[range(shape[1]), range(shape[1])] = np.random.default_rng(1).normal(size=(kernel, kernel))
    run = session(netsurgery.to_onnx(make(one("Deconvolution", params), [w], x=shape), plain=way == "plain"))
    benchmark(run.run, None, {"x": np.random.default_rng(0).normal(size=shape).astype(np.float32)})


@pytest.mark.parametrize("size", [(9, 38, 50), (25, 40, 66), (12, 60, 100)])
def test_proposals(benchmark: Any, size: tuple[int, int, int]) -> None:
    """py-faster-rcnn's, PVANet's and a pyramid's anchors."""
    anchors, h, w = size
    benchmark.group = f"proposals {size}"
    scales = [float(2 ** (i / 2)) for i in range(anchors)]
    fields = f"'feat_stride': 16, 'ratios': [1], 'scales': {scales}"
    fields = f'python_param {{ module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "{{{fields}}}" }}'
    net = make(one("Python", fields, "sdi"), s=(1, 2 * anchors, h, w), d=(1, 4 * anchors, h, w), i=(1, 3))
    rng = np.random.default_rng(0)
    feed = {
        "s": rng.random((1, 2 * anchors, h, w)) ** 8,
        "d": rng.normal(0, 0.3, (1, 4 * anchors, h, w)),
        "i": np.array([[16 * h, 16 * w, 1]]),
    }
    run = session(netsurgery.to_onnx(net))
    benchmark(run.run, None, {name: value.astype(np.float32) for name, value in feed.items()})
