"""Nets back to Caffe: what is written is what was read, and Caffe accepts it."""

from __future__ import annotations

import numpy as np
import pytest
from cases import find
from cases import load as load_case
from hypothesis import given, settings
from hypothesis import strategies as st
from saving import IN_PLACE, again
from small_nets import small_nets, with_random_weights

import netsurgery
from netsurgery.difference import diff
from netsurgery.formats.load import from_text
from netsurgery.formats.save import to_prototxt
from netsurgery.net import Net


def structure(net: Net) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(x.name, x.type, x.bottoms, x.tops) for x in net.layers]


def feeds(net: Net) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in net.inputs.items() if shape}


@settings(max_examples=60, deadline=None)
@given(small_nets())
def test_saving_then_loading_is_the_identity(net: Net) -> None:
    loaded = again(net)
    assert structure(loaded) == structure(net)
    found = diff(net, loaded, training=True)
    assert not found, found.lines
    assert found.equal_blobs == sum(len(x.weights) for x in net.layers)
    assert to_prototxt(loaded) == to_prototxt(net)


@pytest.mark.parametrize("kind", ["conformance", "conformance-forks"])
def test_every_case_comes_back(kind: str) -> None:
    """Text to net to text to net, weights with it: the same net, wired as Caffe accepts it."""
    cases = find(kind)
    assert cases
    for case in cases:
        net = load_case(case)
        loaded = again(net) if any(x.weights for x in net.layers) else again(net, weights=False)
        found = diff(net, loaded, training=True)
        assert not found and structure(loaded) == structure(net), (case, found.lines)


@settings(max_examples=40, deadline=None)
@given(small_nets(), st.data())
def test_after_surgery_what_is_saved_computes_the_same(net: Net, data: st.DataObject) -> None:
    for _ in range(2):
        deletable = [x.name for x in net.layers if x.type in ("ReLU", "TanH", "Dropout", "BatchNorm", "Scale")]
        if deletable:
            net = net.without(data.draw(st.sampled_from(deletable)))
    loaded = again(net)
    want, got = netsurgery.run(net, feeds(net)), netsurgery.run(loaded, feeds(net))
    assert [x.name for x in loaded.layers] == [x.name for x in net.layers]
    for x, y in zip(net.layers, loaded.layers, strict=True):
        for a, b in zip(x.tops, y.tops, strict=True):
            np.testing.assert_allclose(got[b], want[a], rtol=1e-5, atol=1e-6)


def test_a_damaged_weight_is_a_difference() -> None:
    net = with_random_weights(from_text(IN_PLACE))
    loaded = again(net)
    assert not diff(net, loaded)
    blob = loaded["fc"].weights[0].copy()
    blob.flat[0] += 1
    assert diff(net, loaded.with_weights("fc", blob, loaded["fc"].weights[1]))
