"""Detection layers: options, ties, edges and refusals that the cases of fixtures/ lack."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import pytest
from test_layers_layout import agree, make, one, refusal

import netsurgery
from netsurgery.errors import RewriteError, ShapeError, UnsupportedError
from netsurgery.passes.raw_detections import raw_detections

Array = np.ndarray[Any, Any]


def unit(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


# ---- PriorBox ---------------------------------------------------------------------------------------------------------------


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
        ("min_size: 4 aspect_ratio: 0", "an aspect_ratio is not positive"),
        ("min_size: 4 variance: 0.1 variance: 0.2", "variance is ["),
        ("min_size: 4 img_h: 40", "img_h is 40"),
        ("min_size: 4 img_size: 0", "img_size is 0"),
        ("min_size: 4 step: 4 step_h: 4 step_w: 4", "step together with step_w"),
        ("min_size: 4 keras: true", "keras is set"),
    ],
)
def test_priors_that_caffe_refuses_too(params: str, problem: str) -> None:
    assert problem in refusal(lambda: prior_box(params).require_supported(), UnsupportedError)


# ---- DetectionOutput --------------------------------------------------------------------------------------------------------


def detection(
    params: str, loc: int, conf: int, priors: int, more: str = "", **shapes: tuple[int, ...]
) -> netsurgery.Net:
    bottoms = ("loc", "conf", "prior", *shapes)
    shapes = {"loc": (1, loc), "conf": (1, conf), "prior": (1, 2, 4 * priors), **shapes}
    return make(one("DetectionOutput", f"detection_output_param {{ {params} }} {more}", bottoms), **shapes)


def by_hand(feed: dict[str, Array], o: dict[str, Any]) -> Array:
    """DetectionOutput, box by box, as Caffe goes about it."""
    f, classes = np.float32, o["num_classes"]
    prior, variance = feed["prior"].reshape(2, -1, 4)
    rows = []

    def decoded(p: Array, v: Array, t: Array) -> Array:
        t = t if o["variance_encoded_in_target"] else v * t
        w, h = p[2] - p[0], p[3] - p[1]
        if o["code_type"] == "CORNER":
            return p + t
        if o["code_type"] == "CORNER_SIZE":
            return p + t * np.array([w, h, w, h])
        x, y = t[0] * w + (p[0] + p[2]) / 2, t[1] * h + (p[1] + p[3]) / 2
        w, h = np.exp(t[2]) * w, np.exp(t[3]) * h
        return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2], f)

    def size(b: Array) -> Any:
        return 0 if b[2] < b[0] or b[3] < b[1] else (b[2] - b[0]) * (b[3] - b[1])

    def jaccard(a: Array, b: Array) -> Any:
        w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        return w * h / (size(a) + size(b) - w * h) if w > 0 and h > 0 else 0

    for image, (loc, conf) in enumerate(zip(feed["loc"], feed["conf"], strict=True)):
        scores = conf.reshape(-1, classes)
        boxes = loc.reshape(len(prior), -1, 4)
        found = []
        for label in range(classes):
            if label == o["background_label_id"]:
                continue
            at = [i for i in range(len(prior)) if scores[i, label] > f(o["confidence_threshold"])]
            at = sorted(at, key=lambda i: -scores[i, label])[: o["top_k"] if o["top_k"] >= 0 else None]
            kept: list[Array] = []
            for i in at:
                box = decoded(prior[i], variance[i], boxes[i, 0 if o["share_location"] else label])
                if all(jaccard(box, k) <= f(o["nms_threshold"]) for k in kept):
                    kept.append(box)
                    found.append([image, label, scores[i, label], *box])
        if -1 < o["keep_top_k"] < len(found):
            found = sorted(sorted(found, key=lambda r: -r[2])[: o["keep_top_k"]], key=lambda r: r[1])
        rows += found
    return np.array(rows or [[i, *[-1] * 6] for i in range(len(feed["loc"]))], f)[None, None]


@pytest.mark.parametrize("seed", range(24))
def test_detections_as_caffe_picks_them(seed: int) -> None:
    """Random options and boxes, many of them with equal scores, some with their corners the wrong way round."""
    rng = np.random.default_rng(seed)
    classes, p = int(rng.integers(1, 5)), int(rng.integers(1, 12))
    o: dict[str, Any] = {
        "num_classes": classes,
        "share_location": bool(rng.integers(2)),
        "background_label_id": int(rng.choice([0, 0, -1, classes - 1])),
        "code_type": str(rng.choice(["CORNER", "CENTER_SIZE", "CORNER_SIZE"])),
        "variance_encoded_in_target": bool(rng.integers(2)),
        "keep_top_k": int(rng.choice([-1, 0, 1, 4, 100])),
        "confidence_threshold": float(rng.choice([0, 0.3, 0.6, 0.99])),
    }
    text = " ".join(f"{k}: {str(v).lower() if isinstance(v, bool) else v}" for k, v in o.items())
    o |= {"nms_threshold": float(rng.choice([0, 0.3, 0.45, 1, 1.5])), "top_k": int(rng.choice([-1, 0, 1, 3, 50]))}
    text += f" nms_param {{ nms_threshold: {o['nms_threshold']} top_k: {o['top_k']} }}"
    places = 4 if o["share_location"] else 4 * classes
    net = detection(text, places * p, classes * p, p)
    feeds = []
    for n, count in ((1, p), (3, p + 3)):
        centre, half = rng.random((count, 2)), rng.random((count, 2)) / 4 + 0.05
        prior = np.stack([np.hstack([centre - half, centre + half]).ravel(), np.tile([0.1, 0.1, 0.2, 0.2], count)])
        feeds.append(
            {
                "loc": rng.normal(0, 1 + 4 * rng.integers(2), (n, places * count)).astype(np.float32),
                "conf": (np.round(rng.random((n, classes * count)) * 7) / 7).astype(np.float32),
                "prior": prior[None].astype(np.float32),
            }
        )
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        want = by_hand(feed, o)
        assert got["y"].shape == want.shape
        np.testing.assert_allclose(got["y"], want, rtol=1e-5, atol=1e-5)


def test_an_image_to_draw_on_is_no_fourth_bottom() -> None:
    params = "num_classes: 2 code_type: CENTER_SIZE visualize: true visualize_threshold: 0.5"
    feed = {"loc": unit((1, 12)), "conf": unit((1, 6)), "prior": unit((1, 2, 12)), "data": unit((1, 3, 4, 4))}
    (got,) = agree(detection(params, 12, 6, 3, "transform_param { mean_value: 1 }", data=(1, 3, 4, 4)), feed)
    (plain,) = agree(detection(params, 12, 6, 3), {k: v for k, v in feed.items() if k != "data"})
    np.testing.assert_array_equal(got["y"], plain["y"])


def test_adaptive_suppression_runs_but_is_not_exported() -> None:
    net = detection("num_classes: 2 nms_param { nms_threshold: 0.9 eta: 0.5 }", 12, 6, 3)
    box, near, far = [0, 0, 1, 1], [0, 0, 1, 0.8], [0, 0, 1, 0.4]
    feed = {
        "loc": np.array([[*box, *near, *far]], np.float32),
        "conf": np.array([[0, 0.9, 0, 0.8, 0, 0.7]], np.float32),
        "prior": np.array([[[0] * 12, [1] * 12]], np.float32),
    }
    # the first box halves the threshold to 0.45: the second goes, at 0.8, the third stays, at 0.4
    np.testing.assert_allclose(netsurgery.run(net, feed)["y"][0, 0, :, 2], [0.9, 0.7])
    assert refusal(lambda: netsurgery.to_onnx(net), UnsupportedError) == (
        "net.prototxt:4: layer 'y' (DetectionOutput): adaptive suppression (eta 0.5) has no ONNX form\n"
        "  expected: eta 1, or nms_threshold at most 0.5, where eta changes nothing\n"
        "  fix: --detections raw leaves the choice to your own code"
    )
    agree(detection("num_classes: 2 nms_param { nms_threshold: 0.5 eta: 0.5 }", 12, 6, 3), feed)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("share_location: true", "num_classes is 0"),
        ("num_classes: 2 nms_param { nms_threshold: -1 }", "nms_threshold is -1, eta 1"),
        ("num_classes: 2 nms_param { eta: 0 }", "nms_threshold is 0.3, eta 0"),
        ("num_classes: 2 nms_param { soft_nms: true }", "soft_nms"),
        ("num_classes: 2 tflite_detection: true", "tflite_detection"),
    ],
)
def test_detections_that_are_refused(params: str, problem: str) -> None:
    assert problem in refusal(lambda: detection(params, 12, 6, 3).require_supported(), UnsupportedError)


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


# ---- --detections raw -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", cases.find("conformance/detectionoutput", "conformance-forks/detectionoutput_refinedet"), ids=cases.name
)
def test_raw_detections_are_what_detection_output_chooses_from(case: Any) -> None:
    net = cases.load(case)
    raw = raw_detections(net)
    assert raw.outputs == ("y_boxes", "y_scores", "y_priors")
    for feed, want in cases.runs(case):
        (got,) = agree(raw, feed)
        boxes, scores = got["y_boxes"], got["y_scores"]
        np.testing.assert_array_equal(got["y_priors"], got["prior"])
        for image, label, score, *corners in want["y"][0, 0]:
            if label < 0:
                continue
            at = int(image)
            near = np.isclose(scores[at, :, int(label)], score, rtol=1e-6)
            box = boxes[at] if boxes.ndim == 3 else boxes[at, :, int(label)]
            assert np.isclose(box[near], corners, rtol=1e-5, atol=1e-6).all(axis=1).any()


def test_raw_detections_refuse_what_they_cannot_replace() -> None:
    net = make(one("ReLU"), x=(1, 2))
    assert refusal(lambda: raw_detections(net), RewriteError) == (
        "net.prototxt:1: the net has no DetectionOutput layer\n  expected: an SSD net"
    )
    text = one("DetectionOutput", "detection_output_param { num_classes: 2 }", ("loc", "conf", "prior"), ("d",))
    read = make(
        f'{text}\nlayer {{ name: "z" type: "ReLU" bottom: "d" top: "z" }}', loc=(1, 12), conf=(1, 6), prior=(1, 2, 12)
    )
    assert refusal(lambda: raw_detections(read), RewriteError) == (
        "net.prototxt:5: layer 'y' (DetectionOutput): layer 'z' (ReLU) reads what is to be left out\n"
        "  expected: a DetectionOutput whose top nothing consumes\n"
        "  fix: export the blobs before it instead: --output loc --output conf --output prior"
    )


# ---- YOLO -------------------------------------------------------------------------------------------------------------------


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


# ---- Proposal ---------------------------------------------------------------------------------------------------------------

REGIONS = {"score": (1, 18, 4, 6), "delta": (1, 36, 4, 6), "info": (1, 3)}


def proposal(params: str, type: str = "Proposal", **shapes: tuple[int, ...]) -> netsurgery.Net:
    return make(one(type, params, ("score", "delta", "info"), ("y", "s")), **{**REGIONS, **shapes})


PYTHON = "python_param { module: 'rpn.proposal_layer' layer: 'ProposalLayer' param_str: \"%s\" }"
SYNOPSYS = "proposal_param { max_rois: 9 rpn_nms_thresh: 0.3 rpn_min_size: 4 }"
HAPPYNEAR = "proposal_param { ratio: 0.5 ratio: 1 ratio: 2 scale: 8 scale: 32 scale: 99 min_size: 9 pre_nms_topn: %d }"


@pytest.mark.parametrize("params", [PYTHON % "'feat_stride': 16", SYNOPSYS, HAPPYNEAR % 40, HAPPYNEAR % 6000])
def test_regions_at_any_size_and_with_equal_scores(params: str) -> None:
    four = "ratio" in params
    net = proposal(params, "Python" if "python" in params else "Proposal", info=(1, 4) if four else (1, 3))
    feeds = []
    for seed, (h, w) in enumerate(((4, 6), (7, 3), (1, 1))):
        rng = np.random.default_rng(seed)
        score = (np.round(rng.random((1, 18, h, w)) * 9) / 9).astype(np.float32)
        delta = rng.normal(0, 0.3, (1, 36, h, w)).astype(np.float32)
        info = np.array([[16.5 * h, 16.5 * w, 1.5, 1.25][: 3 + four]], np.float32)
        feeds.append({"score": score, "delta": delta, "info": info})
    for got in agree(net, *feeds):
        assert (np.diff(got["s"].ravel()) <= 0).all()


def test_regions_that_are_all_too_small() -> None:
    feed = {k: np.full(v, 0.1, np.float32) for k, v in REGIONS.items()}
    (got,) = agree(
        proposal(PYTHON % "feat_stride: 16", "Python"), feed | {"info": np.array([[60, 90, 50]], np.float32)}
    )
    assert got["y"].shape == (0, 5)
    assert got["s"].shape == (0, 1)


def test_synopsys_takes_only_the_first_image() -> None:
    rng = np.random.default_rng(0)
    feed = {k: rng.random((2, *v[1:]), dtype=np.float32) for k, v in REGIONS.items()}
    feed["info"] = np.array([[64, 96, 1], [1, 1, 1]], np.float32)
    (got,) = agree(proposal(SYNOPSYS, score=(2, 18, 4, 6), delta=(2, 36, 4, 6), info=(2, 3)), feed)
    (alone,) = agree(proposal(SYNOPSYS), {k: v[:1] for k, v in feed.items()})
    np.testing.assert_array_equal(got["y"], alone["y"])


def test_proposals_that_are_refused() -> None:
    refused = {
        "proposal_param { ratio: 1 max_rois: 4 }": "ratio belongs to happynear's Proposal, max_rois to Synopsys's",
        "proposal_param { base_size: 8 }": "ratio [], scale []",
        "proposal_param { max_rois: 0 }": "max_rois or rpn_nms_thresh is negative",
    }
    for params, problem in refused.items():
        assert problem in refusal(lambda p=params: proposal(p).require_supported(), UnsupportedError)
    for text, problem in (
        ("'feat_stride': 16, 'ratios': [1]", "param_str has 'ratios', which py-faster-rcnn's layer does not read"),
        ("'scales': [8]", "feat_stride or scales in param_str are no positive numbers"),
        ("'feat_stride': 16, 'scales': 8", "feat_stride or scales in param_str are no positive numbers"),
    ):
        assert problem in refusal(lambda t=text: proposal(PYTHON % t, "Python").require_supported(), UnsupportedError)
    small = proposal(HAPPYNEAR % 9)
    assert "numbers in im_info: 3" in refusal(small.shapes, ShapeError)
    batch = proposal(PYTHON % "'feat_stride': 16", "Python", score=(2, 18, 4, 6), delta=(2, 36, 4, 6))
    assert "batch: 2" in refusal(batch.shapes, ShapeError)


# ---- Nms --------------------------------------------------------------------------------------------------------------------


def peaks_by_hand(x: Array, threshold: float, parts: int, most: int) -> Array:
    top = np.zeros((1, parts, most + 1, 3), np.float32)
    h, w = x.shape[2:]
    for part in range(parts):
        m, found = x[0, part].astype(np.float64), 0
        for y in range(1, h - 1):
            for c in range(1, w - 1):
                around = np.delete(m[y - 1 : y + 2, c - 1 : c + 2].ravel(), 4)
                if m[y, c] > threshold and (m[y, c] > around).all():
                    if found < most:
                        rows, columns = range(max(1, y - 3), min(h, y + 4)), range(max(1, c - 3), min(w, c + 4))
                        near = [(i * m[j, i], j * m[j, i], m[j, i]) for j in rows for i in columns if m[j, i] > 0]
                        sx, sy, total = np.sum(near, axis=0)
                        top[0, part, found + 1] = sx / total, sy / total, m[y, c]
                    found += 1
        top[0, part, 0, 0] = found
    return top


def test_peaks_of_heatmaps() -> None:
    net = make(one("Nms", "nms_param { threshold: 0.25 max_peaks: 4 num_parts: 3 }"), x=(1, 5, 9, 12))
    feeds = [
        {"x": np.random.default_rng(n).normal(0, 0.5, (1, 5, *s)).astype(np.float32)}
        for n, s in enumerate(((9, 12), (20, 7), (3, 3)))
    ]
    feeds.append({"x": np.full((1, 5, 6, 6), 0.5, np.float32)})  # a plateau has no peak
    for feed, got in zip(feeds, agree(net, *feeds), strict=True):
        np.testing.assert_allclose(got["y"], peaks_by_hand(feed["x"], 0.25, 3, 4), rtol=1e-5, atol=1e-5)


def test_heatmaps_that_are_refused() -> None:
    assert "channels, at least: 5" in refusal(make(one("Nms"), x=(1, 5, 9, 9)).shapes, ShapeError)
    assert "batch: 2" in refusal(make(one("Nms"), x=(2, 15, 9, 9)).shapes, ShapeError)
    bad = make(one("Nms", "nms_param { max_peaks: 0 }"), x=(1, 15, 9, 9))
    assert "max_peaks 0" in refusal(bad.require_supported, UnsupportedError)
