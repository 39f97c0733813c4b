"""Operators that no released Caffe2 has: SSD's PriorBox of forks is read, names of Caffe's layers are told what Caffe2 has."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest
from netdefs import Sample, numbers

import netsurgery
from netsurgery.errors import UnsupportedError, UnsupportedLayersError
from netsurgery.exporters.caffe2.export import save_caffe2

SIZES = {"map": (1, 2, 3, 4), "image": (1, 3, 30, 44)}
PRIORS = [
    {"min_sizes": [30.0], "max_sizes": [60.0], "aspect_ratios": [2.0, 3.0], "variance": [0.1, 0.1, 0.2, 0.2]},
    {"min_sizes": [30, 40.5], "aspect_ratios": [2.0, 1.0], "flip": 0, "clip": 1, "step": 8.0, "offset": 0.25},
    {"min_sizes": [7.0], "img_h": 50, "img_w": 60, "step_h": 9.0, "step_w": 8.0, "order": "NCHW"},
    {"min_sizes": [7.0], "max_sizes": [9.5], "aspect_ratios": [0.5], "img_size": 40, "flip": 1, "variance": [0.3]},
]


def priors(rows: int, columns: int, **arguments: object) -> np.ndarray:
    """Loop by loop what prior_box_op.h (proposed to Caffe2 in 2017; forks have it) writes for a map of the image SIZES."""
    mins, maxs = list(arguments["min_sizes"]), list(arguments.get("max_sizes", []))
    ratios = [1.0]
    for ratio in arguments.get("aspect_ratios", []):
        if all(abs(ratio - other) >= 1e-6 for other in ratios):
            ratios += [ratio, 1 / ratio] if arguments.get("flip", 1) else [ratio]
    size = arguments.get("img_size", 0)
    height, width = arguments.get("img_h", size) or 30, arguments.get("img_w", size) or 44
    step = arguments.get("step", 0)
    down, across = arguments.get("step_h", step) or height / rows, arguments.get("step_w", step) or width / columns
    boxes = []
    for i, j in np.ndindex(rows, columns):
        x, y = ((at + arguments.get("offset", 0.5)) * by for at, by in ((j, across), (i, down)))
        for k, m in enumerate(int(m) for m in mins):
            sides = [(m, m), *[(np.sqrt(m * int(big)),) * 2 for big in maxs[k : k + 1]]]
            sides += [(m * np.sqrt(r), m / np.sqrt(r)) for r in ratios if abs(r - 1) >= 1e-6]
            for w, h in sides:
                boxes += [(x - w / 2) / width, (y - h / 2) / height, (x + w / 2) / width, (y + h / 2) / height]
    coordinates = np.array(boxes)
    if arguments.get("clip"):
        coordinates = coordinates.clip(0, 1)
    variances = np.tile(arguments.get("variance", [0.1]), len(boxes) // len(arguments.get("variance", [0.1])))
    return np.stack([coordinates, variances])[None]


def prior_box(**arguments: object) -> Sample:
    operators = [("Relu", "map", "r"), ("PriorBox", "r image", "boxes", arguments), ("Sigmoid", "image", "y")]
    return Sample(operators, "", inputs=SIZES)


@pytest.mark.parametrize("arguments", PRIORS)
def test_boxes_of_ssd_by_the_operator_of_forks(arguments: dict[str, object], tmp_path: Path) -> None:
    sample = prior_box(**arguments)
    net = netsurgery.load(*sample.save(tmp_path), input_shapes=SIZES)
    assert [layer.type for layer in net.layers if layer.bottoms] == ["ReLU", "PriorBox", "Sigmoid"]
    boxes = priors(3, 4, **arguments)
    assert not cases.difference(netsurgery.run(net, sample.feeds(), ["boxes"])["boxes"], boxes)
    model = netsurgery.to_onnx(net)
    session = cases.session(model.SerializeToString())
    assert not cases.difference(session.run(["boxes"], sample.feeds())[0], boxes)
    assert netsurgery.verify(net, model).passed
    other = priors(3, 4, **{**arguments, "min_sizes": [8]})
    assert other.shape != boxes.shape or cases.difference(other, boxes)
    save_caffe2(net, tmp_path / "released")
    again = netsurgery.load(tmp_path / "released/init_net.pb", tmp_path / "released/predict_net.pb")
    assert [layer.type for layer in again.layers] == [layer.type for layer in net.layers]
    assert not cases.difference(netsurgery.run(again, sample.feeds(), ["boxes"])["boxes"], boxes)


def test_boxes_by_widths_and_heights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as refused:
        netsurgery.load(*prior_box(widths=[3.0], heights=[4.0]).save(tmp_path), input_shapes=SIZES)
    assert str(refused.value) == (
        f"{tmp_path}/predict_net.pb: layer 'boxes' (PriorBox): no layer of Caffe's says this: widths and heights of boxes, "
        "without variances\n  expected: min_sizes, as SSD's PriorBox has them"
    )


def test_names_that_caffe2_does_not_have_are_told_what_it_has(tmp_path: Path) -> None:
    fills = {name: np.abs(numbers(3)) for name in "sbmv"}
    operators = [("BatchNorm", "x s b m v", "n", {"is_test": 1}), ("relu", "n", "y")]
    with pytest.raises(UnsupportedLayersError) as refused:
        netsurgery.load(*Sample(operators, "", fills).save(tmp_path), input_shapes={"x": (2, 3, 7, 8)})
    text = "Caffe2 has no operator of this name"
    assert str(refused.value) == (
        "2 layers cannot be read from Caffe2:\n"
        f"{tmp_path}/predict_net.pb: layer 'n' (BatchNorm): {text}\n"
        "  expected: SpatialBN\n  fix: write it as SpatialBN, with its inputs\n"
        f"{tmp_path}/predict_net.pb: layer 'y' (relu): {text}\n  expected: Relu\n  fix: write it as Relu, with its inputs"
    )
    operators = [("SpatialBN", "x s b m v", "n", {"is_test": 1}), ("Relu", "n", "y")]
    net = netsurgery.load(*Sample(operators, "", fills).save(tmp_path), input_shapes={"x": (2, 3, 7, 8)})
    assert [layer.type for layer in net.layers] == ["Input", "BatchNorm", "Scale", "ReLU"]
