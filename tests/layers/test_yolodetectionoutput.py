"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/yolodetectionoutput.py."""

from __future__ import annotations

import cases
import numpy as np
import onnx
import pytest
from one_layer import agree, make, one, refusal

import netsurgery
from netsurgery.errors import ShapeError, UnsupportedError


def yolo3(params: str, bottoms: tuple[str, ...] = ("x",), **shapes: tuple[int, ...]) -> netsurgery.Net:
    return make(one("Yolov3DetectionOutput", f"yolov3_detection_output_param {{ {params} }}", bottoms), **shapes)


V3 = "num_classes: 2 num_box: 2 biases: 10 biases: 20 biases: 30 biases: 15 mask: 1 mask: 0 mask_group_num: 1 anchors_scale: 8"


@pytest.mark.parametrize("overlap", [0, 0.2, 0.7, 2])
def test_yolov3_drops_what_reaches_the_threshold(overlap: float) -> None:
    net = yolo3(f"{V3} nms_threshold: {overlap} confidence_threshold: 0.2", x=(1, 14, 3, 4))
    feeds = [
        {"x": np.random.default_rng(3).normal(0, 1, (n, 14, h, w)).astype(np.float32)}
        for n, h, w in ((1, 3, 4), (2, 2, 5))
    ]
    feeds.append({"x": np.zeros((1, 14, 2, 2), np.float32)})  # equal boxes and scores
    got = agree(net, *feeds)
    if overlap == 0:
        assert [len(g["y"][0, 0]) for g in got] == [1, 1, 1]
    if overlap == 2:
        assert len(got[2]["y"][0, 0]) == 2 * 2 * 2 * 2


def test_yolov3_keeps_all_classes_of_boxes_that_do_not_overlap_themselves() -> None:
    """Of a box that overlaps itself only the best class survives; one without an area, or with an infinite one, overlaps nothing."""
    net = yolo3(f"{V3} nms_threshold: 0.5 confidence_threshold: 0.2", x=(1, 14, 1, 1))
    x = np.full((1, 2, 7), 4, np.float32)  # all scores are high
    x[0, :, 2:4] = [-2, -2], [-200, 0]  # of boxes 30 x 15 and 10 x 20, the second 0 wide
    x[0, :, 6] = 5  # the second class is the better one
    infinite = x.copy()
    infinite[0, 1, 2:4] = 100
    feeds = [{"x": v.reshape(1, 14, 1, 1)} for v in (x, infinite)]
    for got in agree(net, *feeds):
        assert sorted(got["y"][0, 0, :, 1]) == [1, 2, 2]


def test_yolov3_suppresses_the_best_class_of_each_box_alone() -> None:
    """Of 24 scores above the threshold 12 are candidates, which `--plain` leaves to NonMaxSuppression."""
    net = yolo3(f"{V3} nms_threshold: 0.5 confidence_threshold: 0.01", x=(1, 14, 2, 3))
    x = np.random.default_rng(5).normal(3, 1, (1, 14, 2, 3)).astype(np.float32)
    counts = []
    for plain in (False, True):
        model = netsurgery.to_onnx(net, plain=plain)
        (node,) = (n for n in model.graph.node if n.op_type == "NonMaxSuppression")
        model.graph.output.append(onnx.helper.make_tensor_value_info(node.input[1], onnx.TensorProto.FLOAT, None))
        counts.append(cases.session(model.SerializeToString()).run(None, {"x": x})[1].size)
    assert counts == [12, 24]


def test_yolov2_takes_the_first_of_equal_classes_and_scores_at_the_threshold() -> None:
    params = "yolo_detection_output_param { num_classes: 2 num_box: 1 biases: 1 biases: 1 confidence_threshold: 0.25 }"
    net = make(one("YoloDetectionOutput", params), x=(1, 7, 1, 1))
    (got,) = agree(net, {"x": np.zeros((1, 7, 1, 1), np.float32)})  # sigmoid 0.5 times share 0.5
    np.testing.assert_allclose(got["y"][0, 0], [[0, 1, 0.25, 0, 0, 1, 1]])


def test_yolo_layers_that_are_refused() -> None:
    refused = {
        f"{V3} gaussian_box: true": "gaussian_box is set",
        V3.replace("num_classes: 2", ""): "num_classes or num_box is not set",
        V3.replace("mask: 1 mask: 0", "mask: 1 mask: 2"): "mask is [1, 2], with 4 biases",
        V3.replace("anchors_scale: 8", ""): "0 of anchors_scale",
    }
    for params, problem in refused.items():
        assert problem in refusal(lambda p=params: yolo3(p, x=(1, 14, 3, 4)).require_supported(), UnsupportedError)
    two = yolo3(V3, ("x", "z"), x=(1, 14, 3, 4), z=(1, 14, 3, 4))
    assert "number of bottoms: 2" in refusal(two.shapes, ShapeError)
    square = "yolo_detection_output_param { num_classes: 2 num_box: 1 biases: 1 biases: 1 }"
    wide = make(one("YoloDetectionOutput", square), x=(1, 7, 2, 3))
    assert "height of a map that must be square: 2" in refusal(wide.shapes, ShapeError)
    image = make(one("YoloDetectionOutput", square, ("x", "data")), x=(1, 7, 2, 2), data=(1, 3, 8, 8))
    assert "channels: 3" in refusal(image.shapes, ShapeError)
