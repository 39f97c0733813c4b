"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/priorbox.py."""

from __future__ import annotations

import numpy as np
import pytest
from detections import detection, unit
from one_layer import agree, make, one, refusal

import netsurgery
from netsurgery.errors import ShapeError, UnsupportedError


def prior_box(params: str, bottoms: tuple[str, ...] = ("x", "img"), **shapes: tuple[int, ...]) -> netsurgery.Net:
    shapes = shapes or {"x": (1, 2, 3, 4), "img": (1, 3, 30, 50)}
    return make(one("PriorBox", f"prior_box_param {{ {params} }}", bottoms), **shapes)


PRIORS = [
    ("min_size: 10", 1),
    ("min_size: 10 aspect_ratio: 2 aspect_ratio: 2 aspect_ratio: 1 aspect_ratio: 0.5", 3),
    ("min_size: 10 aspect_ratio: 0.5 aspect_ratio: 2 flip: false", 3),
    ("min_size: 10 min_size: 20 max_size: 15 max_size: 30 aspect_ratio: 3 clip: true", 8),
    ("min_size: 10 img_h: 40 img_w: 60 step_h: 4 step_w: 6 offset: 0", 1),
    ("min_size: 10 img_size: 64 step: 8 variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4", 1),
]


@pytest.mark.parametrize(("params", "boxes"), PRIORS)
def test_priors_for_each_cell(params: str, boxes: int) -> None:
    feeds = [
        {"x": unit((n, 2, h, w)), "img": unit((n, 3, 7 * h, 9 * w + 1))}
        for n, h, w in ((1, 3, 4), (2, 5, 1), (1, 1, 1))
    ]
    for feed, got in zip(feeds, agree(prior_box(params), *feeds), strict=True):
        assert got["y"].shape == (1, 2, feed["x"].shape[2] * feed["x"].shape[3] * boxes * 4)


def test_sizes_of_priors_lose_their_fractions() -> None:
    x, img = unit((1, 1, 1, 1)), unit((1, 1, 100, 100))
    (got,) = agree(prior_box("min_size: 10.9 max_size: 40.9", x=x.shape, img=img.shape), {"x": x, "img": img})
    corners = got["y"][0, 0].reshape(2, 4)
    np.testing.assert_allclose(corners[:, 2] - corners[:, 0], [0.1, 0.2], rtol=1e-6)


def test_priors_of_known_sizes_are_a_constant() -> None:
    model = netsurgery.to_onnx(prior_box("min_size: 10 aspect_ratio: 2"), static=True)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_priors_need_no_image_where_its_size_is_set() -> None:
    net = prior_box("min_size: 10 img_size: 40", ("x",), x=(1, 2, 3, 4))
    (got,) = agree(net, {"x": unit((1, 2, 3, 4))})
    assert got["y"].shape == (1, 2, 48)
    with pytest.raises(ShapeError, match="set img_size"):
        prior_box("min_size: 10", ("x",), x=(1, 2, 3, 4)).shapes()


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("aspect_ratio: 2", "min_size is []"),
        ("min_size: 0", "min_size is [0.0]"),
        ("min_size: inf", "min_size is [inf]"),
        ("min_size: 4 min_size: 8 max_size: 9", "max_size is [9.0]"),
        ("min_size: 4 max_size: 4", "max_size is [4.0]"),
        ("min_size: 4 aspect_ratio: 0", "aspect_ratio is [0.0]"),
        ("min_size: 4 variance: 0.1 variance: 0.2", "variance is ["),
        ("min_size: 4 img_h: 40", "img_h is 40"),
        ("min_size: 4 img_size: 0", "img_size is 0"),
        ("min_size: 4 step: 4 step_h: 4 step_w: 4", "step together with step_w"),
        ("min_size: 4 keras: true", "keras is set"),
    ],
)
def test_priors_that_caffe_refuses_too(params: str, problem: str) -> None:
    assert problem in refusal(lambda: prior_box(params).require_supported(), UnsupportedError)


def test_bottoms_that_do_not_fit_the_priors() -> None:
    for loc, conf, what in ((16, 6, "channels of loc: 16"), (12, 9, "channels of conf: 9")):
        assert what in refusal(detection("num_classes: 2", loc, conf, 3).shapes, ShapeError)
    net = make(
        one("DetectionOutput", "detection_output_param { num_classes: 2 }", ("loc", "conf", "prior")),
        loc=(1, 12, 2, 1),
        conf=(1, 6),
        prior=(1, 2, 12),
    )
    assert "put a Flatten layer before it" in refusal(net.shapes, ShapeError)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("fixed_size: 9 density: 2 min_size: 4", "min_size together with fixed_size"),
        ("fixed_size: 9 fixed_size: 8 density: 2", "density is [2.0]"),
        ("fixed_size: 9", "density is []"),
        ("fixed_size: 9 density: 2 fixed_ratio: 1 fixed_ratio: 2", "fixed_ratio is [1.0, 2.0]"),
        ("min_size: 4 offset_w: 0.5 offset_h: 0.5", "1 min_size, 0 aspect_ratio"),
        ("min_size: 4 aspect_ratio: 1 offset_w: 0.5 offset_h: 0.5", "an aspect_ratio is 1"),
        ("min_size: 4 aspect_ratio: 2 offset_w: 1.5 offset_h: 0.5", "an offset is not in the cell"),
    ],
)
def test_boxes_that_forks_miscount_are_refused(params: str, problem: str) -> None:
    assert problem in refusal(lambda: prior_box(params).require_supported(), UnsupportedError)


def test_clustered_boxes_one_by_one() -> None:
    sizes = [(9.4, 15.0), (25.1, 39.6), (14.7, 25.5)]
    params = " ".join(f"width: {w} height: {h}" for w, h in sizes) + " step: 16 offset: 0.5 variance: 0.1"
    net = make(
        one("PriorBoxClustered", f"prior_box_param {{ {params} }}", ("x", "img")), x=(1, 2, 3, 4), img=(1, 3, 48, 64)
    )
    (got,) = agree(net, {"x": unit((1, 2, 3, 4)), "img": unit((1, 3, 48, 64))})
    want = [
        (
            (x + 0.5) * 16 / 64 - w / 128,
            (y + 0.5) * 16 / 48 - h / 96,
            (x + 0.5) * 16 / 64 + w / 128,
            (y + 0.5) * 16 / 48 + h / 96,
        )
        for y in range(3)
        for x in range(4)
        for w, h in sizes
    ]
    np.testing.assert_allclose(got["y"][0, 0].reshape(-1, 4), want, rtol=1e-5, atol=1e-6)
    assert (got["y"][0, 1] == np.float32(0.1)).all()
    few = make(
        one("PriorBoxClustered", "prior_box_param { width: 3 }", ("x", "img")), x=(1, 2, 3, 4), img=(1, 3, 48, 64)
    )
    assert "1 width, 0 height" in refusal(few.require_supported, UnsupportedError)


def test_the_numbers_of_a_cell_lie_in_one_row() -> None:
    """Arithmetic with rows of four numbers takes long: what is added has four for each box of a cell."""
    model = netsurgery.to_onnx(prior_box("min_size: 10 min_size: 20 aspect_ratio: 2 step: 8"))
    sizes = {t.name: list(t.dims) for t in model.graph.initializer}
    rows = [sizes[i] for n in model.graph.node if n.op_type == "Add" for i in n.input if len(sizes.get(i, ())) == 1]
    assert [2 * 3 * 4] in rows
    assert [4] not in rows
