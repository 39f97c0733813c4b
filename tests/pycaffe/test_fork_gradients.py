"""Gradients of layers that only forks have: along a direction drawn at random, as the forward in float64 changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netsurgery
from netsurgery.pycaffe.net import Net

CASES = Path(__file__).parents[2] / "fixtures" / "conformance-forks"
BY_TORCH = [
    "axpy",
    "bn_pspnet",
    "bn_segnet",
    "channel_norm",
    "combination",
    "correlation",
    "depthwise_convolution",
    "downsample_flownet2",
    "flow_warp",
    "inner_distance_happynear",
    "interp",
    "normalize_happynear",
    "pooling_nd_mousect",
    "psroi_pooling",
    "region_quhezheng",
    "resample",
    "roi_pooling_mscnn",
    "unpooling",
    "upsample_segnet",
]
H = 1e-4


def slopes(case: Path, tmp_path: Path) -> dict[str, tuple[float, float]]:
    """For each input with a gradient: the slope of a random sum of the outputs along a random direction, measured and by backward."""
    text = tmp_path / "net.prototxt"
    text.write_text("force_backward: true\n" + (case / "net.prototxt").read_text())
    weights = case / "net.caffemodel"
    with np.load(case / "runs.npz") as runs:
        feed = {key.split("/", 2)[2]: runs[key] for key in runs.files if key.startswith("0/in/")}
    net = Net(str(text), *([str(weights)] if weights.exists() else []), 1)
    for name, x in feed.items():
        net.blobs[name].reshape(*x.shape)
        net.blobs[name].data[...] = x
    net.forward()
    rng = np.random.default_rng(0)
    errors = {name: rng.normal(size=net.blobs[name].data.shape).astype(np.float32) for name in net.outputs}
    for name, error in errors.items():
        net.blobs[name].diff[...] = error
    net.backward()
    plain = netsurgery.load(case / "net.prototxt", weights if weights.exists() else None)

    def total(name: str, move: np.ndarray) -> float:
        moved = {n: x.astype(np.float64) for n, x in feed.items()}
        moved[name] = moved[name] + move
        tops = netsurgery.run(plain, moved)
        return float(sum((tops[n] * error).sum() for n, error in errors.items()))

    pairs = {}
    for name in feed:
        gradient = net.blobs[name].diff.astype(np.float64)
        if gradient.any():
            way = rng.normal(size=gradient.shape)
            measured = (total(name, H * way) - total(name, -H * way)) / (2 * H)
            pairs[name] = measured, float((gradient * way).sum())
    return pairs


def first(name: str) -> Path:
    return next(path.parent for path in sorted((CASES / name).glob("*/net.prototxt")))


@pytest.mark.parametrize("name", BY_TORCH)
def test_gradients_are_what_the_forward_changes_by(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pairs = slopes(first(name), tmp_path)
    assert pairs
    for measured, known in pairs.values():
        assert abs(measured - known) <= 0.02 * max(abs(known), 0.5)


@pytest.mark.parametrize(
    "path", sorted((CASES / "inner_product_happynear").glob("*/net.prototxt")), ids=lambda p: p.parent.name
)
def test_gradients_of_matrices_of_length_one_and_from_a_bottom(path: Path, tmp_path: Path) -> None:
    pairs = slopes(path.parent, tmp_path)
    assert pairs and len(pairs) == len(Net(str(path), 1).inputs)
    for measured, known in pairs.values():
        assert abs(measured - known) <= 0.02 * max(abs(known), 0.5)
