"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/detectionoutput.py."""

from __future__ import annotations

from typing import Any

import cases
import numpy as np
import onnx
import pytest
from detections import Array, detection, unit
from one_layer import agree, make, one, refusal

import netsurgery
from netsurgery.errors import RewriteError, ShapeError, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import to_prototxt
from netsurgery.passes.raw_detections import raw_detections


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


@pytest.mark.parametrize("draws", ["", "visualize: false", "visualize: true visualize_threshold: 0.5"])
def test_an_image_to_draw_on_is_no_fourth_bottom(draws: str) -> None:
    params = f"num_classes: 2 code_type: CENTER_SIZE {draws}"
    feed = {"loc": unit((1, 12)), "conf": unit((1, 6)), "prior": unit((1, 2, 12)), "data": unit((1, 3, 4, 4))}
    (got,) = agree(detection(params, 12, 6, 3, "transform_param { mean_value: 1 }", data=(1, 3, 4, 4)), feed)
    (plain,) = agree(detection(params, 12, 6, 3), {k: v for k, v in feed.items() if k != "data"})
    np.testing.assert_array_equal(got["y"], plain["y"])


def test_a_vector_as_fourth_bottom_is_refinedets() -> None:
    params = "num_classes: 2 code_type: CENTER_SIZE confidence_threshold: 0.01"
    feed = {"loc": unit((1, 12)), "conf": unit((1, 6)), "prior": unit((1, 2, 12)), "arm": np.zeros((1, 6), np.float32)}
    (got,) = agree(detection(params, 12, 6, 3, arm=(1, 6)), feed)
    np.testing.assert_array_equal(got["y"], [[[[0, -1, -1, -1, -1, -1, -1]]]])  # none is an object


def test_polygons_without_the_field_are_a_dialect() -> None:
    text = """num_classes: 2 code_type: CENTER_SIZE nms_param { nms_threshold: 0.4 }"""
    feed = {"loc": unit((2, 60)), "conf": unit((2, 10)), "prior": np.sort(unit((1, 2, 20)).reshape(2, 5, 2, 2), 2)}
    feed["prior"] = feed["prior"].reshape(1, 2, 20)
    (told,) = agree(detection(f"{text} use_polygon: true", 60, 10, 5), feed)
    plain = detection(text, 60, 10, 5)
    meant = from_text(to_prototxt(plain), dialect="textboxes")
    (got,) = agree(meant, feed)
    assert got["y"].shape[3] == 15
    np.testing.assert_array_equal(got["y"], told["y"])
    assert "channels of loc: 60" in refusal(plain.shapes, ShapeError)


def test_priors_at_offsets_show_that_all_classes_suppress_each_other() -> None:
    """tl_ssd's DetectionOutput: one box of two classes stays once."""
    text = "num_classes: 3 code_type: CENTER_SIZE background_label_id: 0"
    feed = {
        "loc": np.zeros((1, 4)),
        "conf": np.array([[0, 0.8, 0.7]]),
        "prior": np.array([[[0, 0, 1, 1], [1, 1, 1, 1]]]),
    }
    feed = {name: x.astype(np.float32) for name, x in feed.items()}
    plain = detection(text, 4, 3, 1)
    prior = """layer { name: "m" type: "Input" top: "m" input_param { shape { dim: 1 dim: 1 dim: 2 dim: 2 } } }
        layer { name: "p" type: "PriorBox" bottom: "m" bottom: "m" top: "p"
          prior_box_param { min_size: 1 aspect_ratio: 2 offset_w: 0.5 offset_h: 0.5 } }"""
    shown = from_text(to_prototxt(plain) + prior)
    assert [note.partition(":")[0] for note in shown.notes] == [
        "read in the dialect tl_ssd, which prior_box_param.offset_h, prior_box_param.offset_w shows"
    ]
    rows = [
        len(netsurgery.run(net, f)["y"][0, 0]) for net, f in ((plain, feed), (shown, feed | {"m": unit((1, 1, 2, 2))}))
    ]
    assert rows == [2, 1]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("code_type: CORNER use_polygon: true", "code_type is CORNER"),
        ("use_polygon: false variance_encoded_in_target: true", "variance_encoded_in_target true"),
        ("do_state_prediction: true", "do_state_prediction with 3 bottoms and num_states 6"),
        ("do_state_prediction: false share_location: false", "share_location is false"),
    ],
)
def test_what_forks_leave_unset_is_refused(params: str, problem: str) -> None:
    net = detection(f"num_classes: 2 {params if 'CORNER' in params else 'code_type: CENTER_SIZE ' + params}", 12, 6, 3)
    assert problem in refusal(net.require_supported, UnsupportedError)


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


def test_few_scores_are_sorted_where_few_exceed_the_threshold() -> None:
    """What top_k chooses among are whole rows, one a class, of LOWEST but for the scores above the threshold; not so with `--plain`."""
    o = "num_classes: 3 confidence_threshold: 0.5 nms_param { top_k: 2 } keep_top_k: 4"
    net = make(
        one("DetectionOutput", f"detection_output_param {{ {o} }}", ("l", "c", "p")), l=(1, 20), c=(1, 15), p=(1, 2, 20)
    )
    conf = np.array([[1, 0.9, 0.2, 1, 0.3, 0.6, 1, 0.7, 0.5, 1, 0.4, 0.1, 1, 0.8, 0.3]], np.float32)
    feed = {"l": np.zeros((1, 20), np.float32), "c": conf, "p": np.ones((1, 2, 20), np.float32)}
    low, rows = np.finfo(np.float32).min, conf.reshape(5, 3).T[None, 1:]
    for plain in (False, True):
        model = netsurgery.to_onnx(net, plain=plain)
        first = next(n for n in model.graph.node if n.op_type == "TopK")
        model.graph.output.append(onnx.helper.make_tensor_value_info(first.input[0], onnx.TensorProto.FLOAT, None))
        scores = cases.session(model.SerializeToString()).run(None, feed)[1]
        np.testing.assert_array_equal(scores, rows if plain else np.where(rows > 0.5, rows, low))
