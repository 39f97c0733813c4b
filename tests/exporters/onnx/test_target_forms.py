"""What is written for one runtime in place of what it computes wrongly: the same numbers by other nodes."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import onnx
import pytest
from losses import net_of

import netsurgery
from netsurgery.errors import NetsurgeryError, UnavailableError, UnsupportedError
from netsurgery.exporters.convert import convert
from netsurgery.exporters.options import Export
from netsurgery.verification.runtimes.table import open_model

BOXES = cases.find(
    "conformance/detectionoutput",
    "conformance-forks/yolo_detection_output",
    "conformance-forks/yolov3_detection_output",
)
EMPTY_FAILS = ("opencv", "mnn")


@pytest.mark.parametrize("target", EMPTY_FAILS)
@pytest.mark.parametrize("case", BOXES, ids=cases.name)
def test_boxes_are_chosen_without_a_tensor_that_is_empty(case: Path, target: str) -> None:
    model = netsurgery.to_onnx(cases.load(case), target=target)
    outputs = [value.name for value in model.graph.output]
    inner = [output for node in model.graph.node for output in node.output if node.op_type != "NonZero"]
    for name in inner:
        if name not in outputs:
            model.graph.output.add(name=name)
    session = cases.session(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    for feed, want in cases.runs(case):
        values = dict(zip(names, session.run(None, feed), strict=True))
        assert not any(cases.difference(values[blob], want[blob]) for blob in outputs)
        assert [name for name, value in values.items() if not np.size(value)] == []


def test_boxes_that_are_tied_to_the_threshold_or_cut_by_top_k_are_the_same() -> None:
    """The stand-in is behind every box that counts, and in front of every one that does not."""
    layers = (
        'layer { name: "y" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "prior" top: "y" detection_output_param {'
        " num_classes: 3 share_location: true code_type: CORNER confidence_threshold: 0.5 keep_top_k: 3"
        " nms_param { nms_threshold: 0.9 top_k: 2 } } }"
    )
    net = net_of(layers, {"loc": (2, 16), "conf": (2, 12), "prior": (1, 2, 16)})
    rng = np.random.default_rng(0)
    corners = rng.random((4, 2), np.float32) * np.float32(0.5)
    prior = np.concatenate([corners, corners + np.float32(0.3)], 1).reshape(1, 1, 16)
    feeds = {"loc": np.zeros((2, 16), np.float32), "prior": np.concatenate([prior, np.ones_like(prior)], 1)}
    above = np.nextafter(np.float32(0.5), np.float32(1))
    for scores in ([0.5, above, 0.4, 0.5], [0.9, 0.8, 0.7, above], [0.5] * 4, [0.1, 0.2, 0.3, 0.9]):
        conf = np.array([[s, s, 1 - s] for s in scores] + [[0, 0.6, s] for s in scores], np.float32).reshape(2, 12)
        want = netsurgery.run(net, feeds | {"conf": conf})["y"]
        for target in EMPTY_FAILS:
            session = cases.session(netsurgery.to_onnx(net, target=target).SerializeToString())
            (got,) = session.run(None, feeds | {"conf": conf})
            np.testing.assert_allclose(got, want, atol=1e-6)


def test_softmax_does_not_overflow_in_mnn() -> None:
    net = net_of('layer { name: "y" type: "Softmax" bottom: "x" top: "y" }', {"x": (2, 4, 3, 3)})
    for opset in (17, 18):
        model = netsurgery.to_onnx(net, target="mnn", opset=opset)
        assert [node.op_type for node in model.graph.node] == ["ReduceMax", "Sub", "Softmax"]
        assert model.graph.node[-1].name == "y"
        x = np.random.default_rng(0).standard_normal((2, 4, 3, 3)).astype(np.float32) * 200
        want = cases.session(netsurgery.to_onnx(net).SerializeToString()).run(None, {"x": x})[0]
        np.testing.assert_array_equal(cases.session(model.SerializeToString()).run(None, {"x": x})[0], want)
    assert [node.op_type for node in netsurgery.to_onnx(net).graph.node] == ["Softmax"]


def test_openvino_has_a_fast_kernel_of_lrn() -> None:
    for region, operators in (
        ("ACROSS_CHANNELS", ["LRN"]),
        ("WITHIN_CHANNEL", ["Mul", "Conv", "Sqrt", "Sqrt", "Mul", "Div"]),
    ):
        layer = f'layer {{ name: "y" type: "LRN" bottom: "x" top: "y" lrn_param {{ norm_region: {region} }} }}'
        model = netsurgery.to_onnx(net_of(layer, {"x": (1, 16, 3, 3)}), target="openvino", static=True)
        assert [node.op_type for node in model.graph.node] == operators


@pytest.mark.parametrize(("target", "group"), [("onnxruntime", 1), ("web", 4), ("openvino", 4), ("tensorrt", 4)])
def test_small_groups_are_joined_for_onnxruntime_alone(target: str, group: int) -> None:
    """Zeros between groups of 4 and 8 channels make blocks of 16 there; elsewhere they are more to compute: OpenVINO takes 1.3 times as
    long for such a layer."""
    layer = (
        'layer { name: "y" type: "Convolution" bottom: "x" top: "y" '
        "convolution_param { num_output: 16 kernel_size: 3 group: 4 } }"
    )
    net = netsurgery.initialize(net_of(layer, {"x": (1, 16, 5, 5)}), how="random")
    (node,) = netsurgery.to_onnx(net, target=target, static=True).graph.node
    assert [a.i for a in node.attribute if a.name == "group"] == [group]


PROPOSALS = cases.find(
    "conformance-forks/proposal_happynear", "conformance-forks/box_output", "conformance-forks/python_proposal"
)
assert PROPOSALS


@pytest.mark.parametrize("case", PROPOSALS, ids=cases.name)
def test_boxes_are_ranked_for_what_drops_scores_that_are_not_above_0(case: Path) -> None:
    net = cases.load(case)
    try:
        model = netsurgery.to_onnx(net, target="opencv")
    except UnsupportedError as error:
        assert "becomes Scan" in str(error)
        return
    numbers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "NonMaxSuppression":
            assert numbers[node.input[4]] >= 0
    session = cases.session(model.SerializeToString())
    for feed, want in cases.runs(case):
        values = session.run(None, {i.name: feed[i.name] for i in session.get_inputs()})
        assert not any(cases.difference(x, want[o.name]) for o, x in zip(session.get_outputs(), values, strict=True))


def test_pads_say_what_is_usual_for_ncnn() -> None:
    """pnnx reads no Pad that leaves its mode and its number out."""
    case = cases.FIXTURES / "conformance" / "pooling" / "ave_3x3_stride2_pad1"
    model = netsurgery.to_onnx(cases.load(case), target="ncnn")
    pads = [node for node in model.graph.node if node.op_type == "Pad"]
    assert pads
    for node in pads:
        assert len(node.input) == 3
        assert [(a.name, a.s) for a in node.attribute] == [("mode", b"constant")]
    feed, want = cases.runs(case)[0]
    (y,) = cases.session(model.SerializeToString()).run(None, feed)
    assert not cases.difference(y, want["y"])


def test_the_greatest_of_three_is_taken_by_pairs_for_ncnn() -> None:
    """pnnx reads the first two."""
    case = cases.FIXTURES / "conformance" / "eltwise" / "max_three"
    model = netsurgery.to_onnx(cases.load(case), target="ncnn")
    assert [(node.op_type, len(node.input)) for node in model.graph.node] == [("Max", 2), ("Max", 2)]
    feed, want = cases.runs(case)[0]
    (y,) = cases.session(model.SerializeToString()).run(None, feed)
    assert not cases.difference(y, want["y"])


def test_what_tvm_does_not_compile_is_refused_or_left_to_the_users_code(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="becomes MaxPool/2, which TVM cannot compute: it gives one top alone"):
        netsurgery.to_onnx(cases.load(cases.FIXTURES / "conformance" / "pooling" / "max_with_mask"), target="tvm")
    boxes = BOXES[0]
    with pytest.raises(
        UnsupportedError, match="becomes NonMaxSuppression, which TVM cannot compute: it compiles no sizes"
    ):
        netsurgery.to_onnx(cases.load(boxes), target="tvm")
    done = convert(boxes / "net.prototxt", None, tmp_path / "m.onnx", export=Export(target="tvm"))
    assert done.outputs == ("y_boxes", "y_scores", "y_priors")


def test_a_single_pixel_is_repeated_not_resized() -> None:
    """OpenCV 5 divides by what lies between the pixels, 0."""
    layer = 'layer { name: "y" type: "Interp" bottom: "x" top: "y" interp_param { height: 5 width: 4 } }'
    model = netsurgery.to_onnx(net_of(layer, {"x": (1, 2, 1, 1)}), static=True)
    assert [node.op_type for node in model.graph.node] == ["Expand"]
    x = np.array([[[[1.5]], [[-2]]]], np.float32)
    (y,) = cases.session(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_array_equal(y, np.broadcast_to(x, (1, 2, 5, 4)))


LOSSES = ("SoftmaxWithLoss", "EuclideanLoss", "HingeLoss", "SigmoidCrossEntropyLoss", "SmoothL1Loss")


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_not_divided_by_a_size_that_is_free(loss: str) -> None:
    """MNN divides by the size as it was when the model was read."""
    label = (3,) if loss in ("SoftmaxWithLoss", "HingeLoss") else (3, 5)
    net = net_of(f'layer {{ name: "y" type: "{loss}" bottom: "x" bottom: "l" top: "y" }}', {"x": (3, 5), "l": label})
    assert [node.op_type for node in netsurgery.to_onnx(net).graph.node][-2:] == ["Reciprocal", "Mul"]
    assert [node.op_type for node in netsurgery.to_onnx(net, static=True).graph.node][-1] == "Div"


def test_what_has_one_spatial_axis_is_not_for_mnn() -> None:
    case = cases.FIXTURES / "conformance" / "convolution" / "nd_1d"
    with pytest.raises(UnsupportedError) as refused:
        netsurgery.to_onnx(cases.load(case), target="mnn")
    assert str(refused.value).partition("net.prototxt:8: ")[2] == (
        "layer 'y' (Convolution): becomes Conv, which MNN cannot compute: it gives what has one spatial axis a second one\n"
        "  fix: cut the net before it (--output x), or choose another --for"
    )
    netsurgery.to_onnx(cases.load(case), target="mnn", outputs=["x"])


def test_tract_is_not_asked_for_sizes_that_the_model_does_not_have() -> None:
    net = net_of('layer { name: "y" type: "TanH" bottom: "x" top: "y" }', {"x": (2, 4)})
    try:
        model = open_model(netsurgery.to_onnx(net, target="tract"), "tract")
    except UnavailableError as error:
        pytest.skip(str(error))
    assert model.run({"x": np.zeros((2, 4), np.float32)}, ["y"])["y"].shape == (2, 4)
    with pytest.raises(NetsurgeryError, match=r"says: the model is for 2x4 alone$"):
        model.run({"x": np.zeros((3, 4), np.float32)}, ["y"])
