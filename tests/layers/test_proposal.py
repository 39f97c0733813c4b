"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/proposal.py."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from one_layer import agree, make, one, refusal

import netsurgery
from netsurgery.errors import ShapeError, UnsupportedError

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


def test_boxes_are_decoded_as_planes() -> None:
    """Arithmetic with rows of two or four numbers takes long: no sum has a last axis of so many but that over the chosen boxes."""
    net = proposal(PYTHON % "'feat_stride': 16", "Python")
    model = onnx.shape_inference.infer_shapes(netsurgery.to_onnx(net, static=True), data_prop=True)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in model.graph.value_info}
    kinds = {"Add", "Sub", "Mul", "Exp", "Min", "Max"}
    large = [shapes[n.output[0]] for n in model.graph.node if n.op_type in kinds and len(shapes[n.output[0]]) > 2]
    assert [1, 9, 4, 4, 6] in large
    assert all(shape[-1] == 6 for shape in large)


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
        ("'feat_stride': 16, 'sizes': [1]", "param_str has 'sizes', which this layer does not read"),
        ("'scales': [8]", "feat_stride in param_str is not there"),
        ("'feat_stride': 16, 'scales': 8", "scales in param_str is 8"),
        ("'feat_stride': 16, 'ratios': [1, 0]", "ratios in param_str is [1, 0]"),
    ):
        assert problem in refusal(lambda t=text: proposal(PYTHON % t, "Python").require_supported(), UnsupportedError)
    small = proposal(HAPPYNEAR % 9)
    assert "numbers in im_info: 3" in refusal(small.shapes, ShapeError)
    batch = proposal(PYTHON % "'feat_stride': 16", "Python", score=(2, 18, 4, 6), delta=(2, 36, 4, 6))
    assert "batch: 2" in refusal(batch.shapes, ShapeError)
