"""What is written for Caffe is read by OpenCV's importer, and computes the same: a second opinion on the files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cases import FIXTURES, load
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import small_nets

import netsurgery
from netsurgery import passes
from netsurgery.formats.prototxt.versions import file_names
from netsurgery.net import Net

KNOWN = {
    "BatchNorm",
    "Concat",
    "Convolution",
    "Deconvolution",
    "Dropout",
    "Eltwise",
    "Flatten",
    "InnerProduct",
    "Input",
    "LRN",
    "Pooling",
    "PReLU",
    "ReLU",
    "Scale",
    "Sigmoid",
    "Slice",
    "Softmax",
    "TanH",
}


def opencv(net: Net, folder: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of the net, written for Caffe and computed by OpenCV."""
    prototxt, caffemodel = folder / "n.prototxt", folder / "n.caffemodel"
    netsurgery.save_caffe(net, prototxt, caffemodel)
    reader = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    for name, array in feeds.items():
        reader.setInput(array, name)
    names = file_names(net)
    layer_of = {names[t]: layer.name for layer in net.layers for t in layer.tops}
    known = reader.getLayerNames()  # OpenCV may call a layer whose top nobody reads by the name of the top
    asked = {blob: layer_of[name] if layer_of[name] in known else name for blob, name in names.items()}
    return {blob: reader.forward(asked[blob]) for blob in net.outputs}


def agree(net: Net, folder: Path) -> None:
    rng = np.random.default_rng(2)
    feeds = {name: rng.normal(size=shape).astype(np.float32) for name, shape in net.inputs.items() if shape}
    want = netsurgery.run(net, feeds)
    for blob, got in opencv(net, folder, feeds).items():
        np.testing.assert_allclose(
            got.reshape(want[blob].shape), want[blob], rtol=1e-3, atol=1e-4 * abs(want[blob]).max()
        )


@settings(max_examples=25, deadline=None)
@given(small_nets())
def test_random_nets(tmp_path_factory: pytest.TempPathFactory, net: Net) -> None:
    agree(net, tmp_path_factory.mktemp("opencv"))


@settings(max_examples=25, deadline=None)
@given(small_nets(), st.data())
def test_random_nets_after_surgery(tmp_path_factory: pytest.TempPathFactory, net: Net, data: st.DataObject) -> None:
    net = passes.unfold_groups(passes.fold_scale(net))
    deletable = [x.name for x in net.layers if x.type in ("ReLU", "TanH", "Dropout")]
    if deletable:
        net = net.without(data.draw(st.sampled_from(deletable)))
    agree(net.renamed({net.layers[-1].name: "last"}), tmp_path_factory.mktemp("opencv"))


CASES = [
    path.parent
    for path in sorted((FIXTURES / "conformance" / "nets").rglob("net.caffemodel"))
    if {layer.type for layer in load(path.parent).layers} <= KNOWN
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_nets_of_the_cases(case: Path, tmp_path: Path) -> None:
    agree(load(case), tmp_path)


def test_there_are_cases() -> None:
    assert len(CASES) >= 3


def test_a_damaged_weight_is_seen(tmp_path: Path) -> None:
    net = load(CASES[0])
    layer = next(x for x in net.layers if x.weights)
    feeds = {name: np.ones(shape, np.float32) for name, shape in net.inputs.items() if shape}
    want = netsurgery.run(net, feeds)
    broken = net.with_weights(layer.name, layer.weights[0] * 1.5, *layer.weights[1:])
    got = opencv(broken, tmp_path, feeds)
    assert any(not np.allclose(got[b].reshape(want[b].shape), want[b], rtol=1e-3, atol=1e-5) for b in got)
